//! Parameters that learn by one rule.

use selfsame_encoder_api::Parameter;

/// Parameters with a learning rate of one kind.
#[derive(Debug)]
pub struct ParameterGroup {
    /// Their names differ from those of all other groups.
    pub parameters: Vec<Parameter>,
    /// Which learning rate they have.
    pub rate: Rate,
}

/// How a learning rate runs over the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As the run's schedule says.
    Scheduled,
    /// At the schedule's peak throughout.
    Constant,
}

impl ParameterGroup {
    /// Parameters that follow the run's schedule.
    #[must_use]
    pub fn scheduled(parameters: Vec<Parameter>) -> Self {
        Self { parameters, rate: Rate::Scheduled }
    }
}
