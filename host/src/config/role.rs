//! What a key decides, and so where it may differ from what a run was started with.

use serde::Deserialize;

/// What a key decides. The schema states it as `x-role`; a section's role is that of all keys below it that state none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Which plugin is asked, so that no plugin may recommend it; part of what the run is.
    Plugin,
    /// What the encoder is, and which images it learnt from.
    Identity,
    /// What the run's images are like; other data sets have their own.
    Images,
    /// How the images of a data set beside the first one are reached, which an evaluation does not do.
    Reach,
    /// Where the images are.
    Place,
    /// How the encoder is trained, which an evaluation does not look at.
    Training,
    /// What is written and measured while the run goes on, which an evaluation does not look at.
    Upkeep,
    /// What batches are made of: decides what is learnt, not what an evaluation comes to.
    Batches,
    /// Where and how fast is computed, not what comes of it.
    Computation,
    /// How an encoder is measured.
    Measurement,
    /// What both a training and an evaluation come to.
    Setting,
}

/// What an evaluation of a trained encoder makes of a key that differs from the run's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InEvaluation {
    /// It would be the evaluation of something else than the run.
    Fixed,
    /// As `Fixed`, except that another data set has its own.
    OfTheImages,
    /// It has no effect.
    OfTraining,
    /// It is noted beside the scores.
    Noted,
    /// It changes no score.
    Indifferent,
}

impl Role {
    /// Whether a run may be continued with another value.
    #[must_use]
    pub fn may_change_on_resume(self) -> bool {
        matches!(self, Role::Reach | Role::Place | Role::Upkeep | Role::Computation | Role::Measurement)
    }

    /// What another value is to an evaluation.
    #[must_use]
    pub fn in_evaluation(self) -> InEvaluation {
        match self {
            Role::Plugin | Role::Identity | Role::Reach => InEvaluation::Fixed,
            Role::Images => InEvaluation::OfTheImages,
            Role::Training | Role::Upkeep => InEvaluation::OfTraining,
            Role::Batches | Role::Computation => InEvaluation::Indifferent,
            Role::Place | Role::Measurement | Role::Setting => InEvaluation::Noted,
        }
    }
}
