//! DINO (Caron et al. 2021).

use super::{Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, Seen, StepContext, Targets};
use super::{centre_of, centred, dino_loss, rising_momentum, sinkhorn_knopp};
use crate::model::{Error, Layer, MomentumNetwork, Network, ProjectionConfig, Result};
use crate::native;
use schemars::JsonSchema;
use selfsame_encoder_api::{Buffer, Encoder};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use tch::{Device, Kind, Tensor};

/// DINO: its teacher, its two temperatures and its prototypes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DinoConfig {
    /// Outputs of the head after the bottleneck, whose length is `method.projection.output_dim`; at least 2.
    #[schemars(range(min = 2))]
    pub prototypes: usize,
    /// Temperature of the student, at least 0.001.
    #[schemars(range(min = 0.001))]
    pub student_temperature: f64,
    /// Temperature of the teacher after its warm-up, at least 0.001.
    #[schemars(range(min = 0.001))]
    pub teacher_temperature: f64,
    /// Temperature of the teacher at the first step, at least 0.001; lower it where the loss does not fall at first.
    #[schemars(range(min = 0.001))]
    pub warmup_teacher_temperature: f64,
    /// Epochs over which the teacher's temperature goes from one to the other, at least 0.
    #[schemars(range(min = 0))]
    pub teacher_temperature_warmup_epochs: f64,
    /// Momentum of the teacher at the first step, in [0, 1]; it rises to 1 at the last step by half a cosine.
    #[schemars(range(min = 0, max = 1))]
    pub momentum: f64,
    /// What keeps the teacher from giving every image one prototype: `mean` (a moving average of its outputs is taken away) or
    /// `sinkhorn_knopp` (each prototype gets its share of the batch), as in DINOv2.
    pub centring: DinoCentring,
    /// Momentum of the centre, in [0, 1]; `mean` alone has one.
    #[schemars(range(min = 0, max = 1))]
    pub centre_momentum: f64,
    /// Epochs, from the first, in which the last layer of the student's head stays as it is, at least 0.
    #[schemars(range(min = 0))]
    pub freeze_last_layer_epochs: f64,
    /// The network whose embedding is evaluated and exported: `teacher` or `student`.
    pub embedding: DinoEmbedding,
}

impl Default for DinoConfig {
    fn default() -> Self {
        Self {
            prototypes: 65536,
            student_temperature: 0.1,
            teacher_temperature: 0.04,
            warmup_teacher_temperature: 0.04,
            teacher_temperature_warmup_epochs: 0.0,
            momentum: 0.996,
            centring: DinoCentring::Mean,
            centre_momentum: 0.9,
            freeze_last_layer_epochs: 1.0,
            embedding: DinoEmbedding::Teacher,
        }
    }
}

/// How the teacher's outputs become the student's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DinoCentring {
    /// Less the moving average of the batch's mean output (Caron et al. 2021).
    Mean,
    /// Three iterations of Sinkhorn and Knopp over the batch (Oquab et al. 2023).
    SinkhornKnopp,
}

/// DINO's two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DinoEmbedding {
    /// The moving average of the student.
    Teacher,
    /// The network that learns.
    Student,
}

/// A student that gives every view the distribution over prototypes that its teacher, its moving average, gives the global
/// ones: those of the first view's size. Views of one size pass a network together.
pub struct Dino {
    student: Network,
    teacher: MomentumNetwork,
    /// `[prototypes]`; stays zero where nothing is taken away.
    centre: Tensor,
    config: DinoConfig,
}

impl Dino {
    /// The teacher's temperature at a step, linear over its warm-up.
    fn teacher_temperature(&self, context: &StepContext) -> f64 {
        let config = &self.config;
        let (first, last) = (config.warmup_teacher_temperature, config.teacher_temperature);
        let progress = context.epoch() / config.teacher_temperature_warmup_epochs;
        if progress < 1.0 { first + (last - first) * progress } else { last }
    }
}

impl Definition for Dino {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 3, hidden_dim: 2048, output_dim: 256, batch_norm: false };

    const VIEWS: RangeInclusive<usize> = 2..=usize::MAX;

    fn averages(config: &MethodConfig) -> Option<&'static str> {
        (config.dino.embedding == DinoEmbedding::Teacher).then_some("method.dino.embedding: teacher")
    }

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let (projection, config) = (&config.projection, config.dino.clone());
        let mut head = projection.hidden(Layer::Linear(projection.hidden_dim), Layer::Gelu);
        head.extend([Layer::Linear(projection.output_dim), Layer::L2, Layer::WeightNorm(config.prototypes)]);
        let (student, teacher) = (encoder()?, encoder()?);
        let student = Network::new(student, &head, device)?;
        let teacher = MomentumNetwork::new(&student, teacher, &head, device)?;
        let centre = Tensor::f_zeros(config.prototypes as i64, (Kind::Float, device)).map_err(Error::from)?;
        Ok(Self { student, teacher, centre, config })
    }
}

impl Method for Dino {
    fn network(&self) -> &Network {
        &self.student
    }

    fn followers(&self) -> Vec<Buffer> {
        let mut buffers = self.teacher.tensors("teacher");
        buffers.push(Buffer { name: "centre".into(), tensor: self.centre.shallow_clone() });
        buffers
    }

    fn encoder(&self) -> &dyn Encoder {
        match self.config.embedding {
            DinoEmbedding::Teacher => self.teacher.encoder(),
            DinoEmbedding::Student => self.student.encoder.as_ref(),
        }
    }

    fn embedding(&self) -> String {
        match self.config.embedding {
            DinoEmbedding::Teacher => "the teacher's encoder".into(),
            DinoEmbedding::Student => "the student's encoder".into(),
        }
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let outputs = self.student.forward_together(views, context.train, context.autocast)?;
        let features = outputs[..context.global_views].iter().map(|(h, _)| h.f_detach()).collect::<Result<_, _>>()?;
        let projections = outputs.into_iter().map(|(_, z)| z).collect();
        Ok(Outputs { projections, targets: Vec::new(), features })
    }

    fn targets(&mut self, views: &[Tensor], context: &StepContext) -> Result<Targets> {
        let global = &views[..context.global_views];
        let outputs =
            self.teacher.frozen(|teacher| teacher.forward_together(global, context.train, context.autocast))?;
        let (features, projections) = outputs.into_iter().unzip();
        let is_evaluated = self.config.embedding == DinoEmbedding::Teacher;
        Ok(Targets { projections, features: is_evaluated.then_some(features) })
    }

    fn loss(&self, projections: &[Tensor], targets: &[Tensor], context: &StepContext) -> Result<Loss> {
        let temperature = self.teacher_temperature(context);
        let targets = match self.config.centring {
            DinoCentring::Mean => centred(targets, &self.centre, temperature)?,
            DinoCentring::SinkhornKnopp => sinkhorn_knopp(targets, temperature)?,
        };
        let value = dino_loss(projections, &targets, self.config.student_temperature)?;
        let momentum = rising_momentum(self.config.momentum, context);
        let metrics = [("teacher_temperature", temperature), ("momentum", momentum)];
        Ok(Loss { value, metrics: metrics.map(|(name, value)| (name, Tensor::from(value))).into() })
    }

    /// Leaves the last layer without gradients in the first epochs.
    fn before_update(&mut self, context: &StepContext) -> Result<()> {
        if context.epoch() < self.config.freeze_last_layer_epochs {
            let last = self.student.projection.parameters().into_iter().next_back();
            native::lists::drop_gradients(&mut last.into_iter().map(|parameter| parameter.tensor).collect::<Vec<_>>());
        }
        Ok(())
    }

    /// Equation 4, and the teacher's average.
    fn after_step(&mut self, seen: &Seen, context: &StepContext) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        if self.config.centring == DinoCentring::Mean {
            let _ = self.centre.f_lerp_(&centre_of(&seen.targets)?, 1.0 - self.config.centre_momentum)?;
        }
        self.teacher.update(rising_momentum(self.config.momentum, context))
    }
}
