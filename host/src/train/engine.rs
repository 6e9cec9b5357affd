//! The training loop.

mod rehearse;
mod saving;

use super::collapse;
use super::compute::Compute;
use super::divergence;
use super::drawn_ahead::DrawnAhead;
use super::evaluation::{Evaluator, head_metrics};
use super::gallery::Gallery;
use super::gradients;
use super::head_batches::HeadBatches;
use super::log_window::LogWindow;
use super::loss_scale::LossScale;
use super::observer::{Observer, StepReport};
use super::plan::Plan;
use super::position::Position;
use super::signals::Stop;
use crate::augment::Drawn;
use crate::config::Config;
use crate::config::schema::Precision;
use crate::data::Batch;
use crate::data::mixture::Pick;
use crate::error::Error;
use crate::method::{self, Method, StepContext, StepOutput, Together};
use crate::metric;
use crate::optim::{self, DecaySchedule, Groups, Rates, Schedule};
use crate::probe::{LinearHead, Warnings};
use crate::run::checkpoint::{BackgroundWriter, CheckpointWriter};
use crate::run::state;
use crate::samples::{RunData, RunViews};
use crate::stopwatch::{self, Stage};
use crate::world::{Share, World};
use crate::{native, random};
use selfsame_plugin_api::Split;
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

/// Steps between two lines of the log; each waits for the device.
const LOG_EVERY: u64 = 20;

/// What a run came to.
pub struct Trained {
    /// The method with its encoder.
    pub method: Box<dyn Method>,
    /// Where the run stands.
    pub position: Position,
    /// What was measured after the last epoch of this process.
    pub last_metrics: BTreeMap<String, f64>,
    /// What has to be known of the scores of this process.
    pub warnings: Warnings,
}

/// A run in progress.
pub struct Engine<'a> {
    config: &'a Config,
    compute: Compute,
    data: &'a RunData,
    views: &'a RunViews,
    world: World,
    /// This process's rows of every batch.
    share: Share,
    together: Together,
    method: Box<dyn Method>,
    optimizer: Groups,
    plan: Plan,
    schedule: Schedule,
    decay: DecaySchedule,
    head: Option<LinearHead>,
    head_batches: Option<HeadBatches<'a>>,
    position: Position,
    /// None: another process writes them.
    checkpoints: Option<Rc<BackgroundWriter>>,
    observer: &'a mut dyn Observer,
    stop: Stop,
    last_metrics: BTreeMap<String, f64>,
    /// Whether the encoder has received gradients; seen once, at the first step of this process.
    learns: bool,
    warnings: Warnings,
}

impl<'a> Engine<'a> {
    /// A run before its first step.
    ///
    /// # Errors
    /// Optimiser or head cannot be built.
    #[expect(clippy::too_many_arguments, reason = "the parts of a run, each made by its own stage")]
    pub fn new(
        config: &'a Config,
        compute: Compute,
        data: &'a RunData,
        views: &'a RunViews,
        method: Box<dyn Method>,
        head: Option<LinearHead>,
        checkpoints: Option<CheckpointWriter>,
        observer: &'a mut dyn Observer,
        stop: Stop,
        world: World,
    ) -> Result<Self, Error> {
        let train = &config.train;
        let share = Share::new(train.batch_size, train.micro_batch_size.unwrap_or(train.batch_size), world.ranks());
        world.broadcast(state::model_tensors(method.as_ref()).into_iter().map(|(_, tensor)| tensor))?;
        let together = Together::new(&world, share.clone(), method.parameters())?;
        let optimizer = Groups::new(&config.optimizer, method.parameter_groups())?;
        let plan = Plan::new(config, data);
        let schedule = Schedule::new(
            &config.scheduler,
            config.train.base_lr,
            config.optimizer.lr_scaling,
            config.train.batch_size,
            plan.steps_per_epoch,
        );
        let decay = DecaySchedule::new(&config.optimizer, schedule.total_steps());
        let loss_scale = (config.train.precision == Precision::Fp16).then(LossScale::default);
        let position = Position { loss_scale, ..Position::default() };
        Ok(Self {
            config,
            compute,
            data,
            views,
            world,
            share,
            together,
            method,
            optimizer,
            plan,
            schedule,
            decay,
            head,
            head_batches: HeadBatches::new(config, data, views),
            position,
            checkpoints: checkpoints.map(|writer| Rc::new(BackgroundWriter::new(writer))),
            observer,
            stop,
            last_metrics: BTreeMap::new(),
            learns: false,
            warnings: Warnings::default(),
        })
    }

    /// What is left when the run has ended, whichever way.
    pub fn into_trained(self) -> Trained {
        let Self { method, position, last_metrics, warnings, .. } = self;
        Trained { method, position, last_metrics, warnings }
    }

    fn evaluator(&self) -> Result<Evaluator<'_>, Error> {
        Ok(Evaluator {
            config: self.config,
            compute: self.compute,
            data: self.data,
            views: self.views,
            world: &self.world,
            context: self.context(),
            stop: self.stop.clone(),
            state: self.snapshot()?,
            observer: &*self.observer,
        })
    }

    /// Trains to the last epoch, and returns the scores of the encoder as it is then.
    ///
    /// # Errors
    /// A signal (after saving), a loss that is not finite, or anything that a stage refuses.
    pub fn run(&mut self) -> Result<BTreeMap<String, f64>, Error> {
        if self.position.step == 0 && self.position.untrained.is_empty() {
            self.measure_untrained()?;
        }
        while self.position.epoch < self.config.scheduler.epochs {
            self.epoch()?;
        }
        let evaluator = self.evaluator()?;
        let (scores, embedded) = evaluator.probe(self.method.encoder())?;
        self.written(BackgroundWriter::finish)?;
        let embedded = embedded.map_or_else(|| evaluator.embedded(self.method.encoder()), |found| Ok(Some(found)))?;
        if let Some(embedded) = embedded.filter(|_| self.world.is_first()) {
            let drawn = Gallery::new(&evaluator, &embedded, self.position.epoch)
                .and_then(|gallery| self.observer.gallery(&gallery));
            // What only the page shows costs no run.
            if let Err(error) = drawn {
                tracing::warn!("the embeddings cannot be drawn on the page: {error}");
            }
        }
        collapse::of_scores(&scores, &mut self.warnings);
        self.observer.trained(self.position.step, self.position.epoch, &scores)?;
        Ok(scores)
    }

    /// Where the step to come stands in the run.
    fn context(&self) -> StepContext {
        StepContext {
            seed: self.config.train.seed,
            step: self.position.step,
            steps_per_epoch: self.plan.steps_per_epoch,
            total_steps: self.schedule.total_steps(),
            global_views: self.views.encoder.global_count(),
            train: true,
            autocast: self.compute.autocast,
            loss_scale: self.position.loss_scale.map_or(1.0, |scale| scale.factor),
        }
    }

    fn measure_untrained(&mut self) -> Result<(), Error> {
        let (scores, _) = self.evaluator()?.probe(self.method.encoder())?;
        self.observer.epoch(0, 0, &scores)?;
        self.position.untrained = scores;
        Ok(())
    }

    fn epoch(&mut self) -> Result<(), Error> {
        let (batch_size, steps) = (self.config.train.batch_size, self.plan.steps_per_epoch as usize);
        self.observer.step(self.position.epoch, self.position.step_in_epoch);
        let order = self.data.mixture.epoch(self.config.train.seed, self.position.epoch as u64);
        let mut window = LogWindow::new(self.position.step, self.compute);
        let plan = order.chunks_exact(batch_size).skip(self.position.step_in_epoch).map(|picks| self.share.of(picks));
        let plan: Vec<_> = plan.collect();
        let mut drawn = self.drawn_ahead(&plan, self.position.epoch as u64);
        let mut batches = self.data.train_batches(plan, self.compute.device);
        loop {
            let started = Instant::now();
            let Some(batch) = batches.next() else { break };
            let batch = batch?;
            let wishes = self.stop.agree(&self.world)?;
            let pass = self.config.train.micro_batch_size.unwrap_or(batch_size).min(batch_size);
            self.step(&batch, &drawn.next(), started, &mut window).map_err(|error| error.in_pass_of(pass))?;
            self.observer.step(self.position.epoch, self.position.step_in_epoch);
            if self.position.step.is_multiple_of(LOG_EVERY) || self.position.step_in_epoch == steps {
                self.log(&mut window)?;
            }
            self.save_if_due(wishes.wait(&self.stop)?, &mut window, steps)?;
        }
        self.finish_epoch(steps)
    }

    /// What is random about the views of the batches of a plan.
    fn drawn_ahead(&self, plan: &[Vec<Pick>], epoch: u64) -> DrawnAhead {
        let images = self.data.train_images(plan);
        let draw = (self.config.train.seed, epoch);
        DrawnAhead::new(self.views.encoder.clone(), images, self.share.piece(), draw)
    }

    /// One step on a batch that has been waited for since `started`; `drawn`: what is random about the views of each of
    /// its pieces.
    fn step(&mut self, batch: &Batch, drawn: &[Drawn], started: Instant, window: &mut LogWindow) -> Result<(), Error> {
        window.waited += started.elapsed();
        let context = self.context();
        self.optimizer.zero_grad();
        let mut output = self.gradients(batch, drawn, &context, window)?;
        if !self.learns {
            let name = &self.config.train.self_supervision.encoder_name;
            gradients::ensure_received(name, self.method.network().encoder.as_ref())?;
            self.learns = true;
        }
        stopwatch::enter(Stage::Optimizer)?;
        let name = self.config.train.self_supervision.method;
        window.metrics = mem::take(&mut output.metrics)
            .into_iter()
            .map(|(metric, value)| (format!("{name}/{metric}"), value))
            .collect();
        if self.unscaled(window)? {
            self.update(&output, &context, window)?;
            stopwatch::enter(Stage::Head)?;
            self.train_head(&output.features, batch.labels.as_ref(), window)?;
        }
        window.losses = window.losses.f_add(&output.loss.detach().to_kind(Kind::Double))?;
        window.features = Some(output.features);
        window.images += self.config.train.batch_size;
        self.position.step += 1;
        self.position.step_in_epoch += 1;
        Ok(())
    }

    /// Takes the scale of the loss out of the gradients. Whether the weights may move.
    fn unscaled(&mut self, window: &mut LogWindow) -> Result<bool, Error> {
        let Some(scale) = &mut self.position.loss_scale else { return Ok(true) };
        window.metrics.push((metric::LOSS_SCALE.name.to_owned(), Tensor::from(scale.factor)));
        scale.unscale(&self.method.parameters())
    }

    /// Moves the weights, and what follows them, by the gradients of a batch.
    fn update(&mut self, output: &StepOutput, context: &StepContext, window: &mut LogWindow) -> Result<(), Error> {
        self.method.before_update(context)?;
        if let Some(max_norm) = self.config.optimizer.clip_grad_norm {
            let norm = optim::clip_gradients(&self.method.parameters(), max_norm)?;
            window.metrics.push((metric::GRADIENT_NORM.name.to_owned(), norm));
        }
        let (lr, weight_decay) = (self.schedule.lr(context.step), self.decay.at(context.step));
        if self.config.optimizer.final_weight_decay.is_some() {
            window.metrics.push((metric::WEIGHT_DECAY.name.to_owned(), Tensor::from(weight_decay)));
        }
        self.optimizer.step(Rates { lr, weight_decay }, self.schedule.peak())?;
        Ok(self.method.after_step(&output.seen, context)?)
    }

    /// Leaves the gradients of the batch's loss at the method's parameters.
    fn gradients(
        &mut self,
        batch: &Batch,
        drawn: &[Drawn],
        context: &StepContext,
        window: &mut LogWindow,
    ) -> Result<StepOutput, Error> {
        let (views, seed) = (&self.views.encoder, self.config.train.seed);
        let micro_batches = batch.parts(self.share.piece());
        let own_draw = self.world.own_draw();
        let mut prepare = |index: usize, draw: &[u64]| -> Result<Vec<Tensor>, Error> {
            stopwatch::enter(Stage::Views)?;
            let started = Instant::now();
            let Batch { images, ids, .. } = &micro_batches[index];
            let views = views.drawn_crops(images, ids, &drawn[index])?;
            window.waited += started.elapsed();
            let draw: Vec<u64> = draw.iter().copied().chain(own_draw).collect();
            tch::manual_seed(random::derive_seed(seed, "step", &draw) as i64);
            Ok(views)
        };
        let method = self.method.as_mut();
        if micro_batches.len() > 1 {
            let prepare = |index| prepare(index, &[context.step, index as u64]);
            return method::cached_gradient_step(method, micro_batches.len(), prepare, context, &mut self.together);
        }
        let views = prepare(0, &[context.step])?;
        if self.together.is_alone() {
            let output = method.step(&views, context)?;
            stopwatch::enter(Stage::Backward)?;
            method::scaled(&output.loss, context)?.f_backward()?;
            return Ok(output);
        }
        Ok(method::shared_step(method, &views, context, &mut self.together)?)
    }

    /// One step of the head: on its own batch, with the encoder frozen, or on the features of the encoder's views.
    fn train_head(&mut self, features: &Tensor, labels: Option<&Tensor>, window: &mut LogWindow) -> Result<(), Error> {
        let Some(head) = &mut self.head else { return Ok(()) };
        if let Some(own) = &mut self.head_batches {
            let started = Instant::now();
            let batch = own.batch(self.position.step, self.compute.device, &self.world)?;
            window.waited += started.elapsed();
            if let Some((images, labels, share)) = batch {
                let embedder = self.compute.embedder(self.method.encoder(), self.views.probe());
                let whole = self.world.gather_rows(vec![embedder.frozen(&images)?, labels], &share)?;
                head.train_step(&whole[0], &whole[1])?;
            }
        } else if let Some(labels) = labels {
            let labels = self.world.gather_rows(vec![labels.shallow_clone()], &self.share)?;
            let views = features.size()[0] / labels[0].size()[0];
            head.train_step(features, &Tensor::f_cat(&vec![&labels[0]; views as usize], 0)?)?;
        }
        Ok(())
    }

    /// Fetches the losses of the window from the device, checks and records them, and begins the next window.
    fn log(&mut self, window: &mut LogWindow) -> Result<(), Error> {
        let steps = self.position.step - window.since;
        if steps == 0 {
            return Ok(());
        }
        let sum = f64::try_from(&window.losses)?;
        if !sum.is_finite() {
            let (since, step) = (window.since, self.position.step);
            let lr = self.schedule.lr(step - 1);
            let what = format!("the loss is {sum} between steps {since} and {step} (learning rate {lr:.3e})");
            return Err(divergence::diverged(&what, self.config, self.has_checkpoint()));
        }
        self.position.loss_sum += sum;
        let seconds = window.started.elapsed().as_secs_f64();
        let logged = window.metrics.iter().map(|(name, value)| Ok((name.clone(), f64::try_from(value)?)));
        let mut metrics = logged.collect::<Result<BTreeMap<_, _>, Error>>()?;
        if let Some(features) = &window.features {
            metrics.extend(collapse::of_batch(features, &mut self.warnings)?);
        }
        self.observer.steps(&StepReport {
            step: self.position.step,
            epoch: self.position.epoch,
            loss: sum / steps as f64,
            lr: self.schedule.lr(self.position.step - 1),
            images_per_s: window.images as f64 / seconds,
            data_wait: window.waited.as_secs_f64() / seconds,
            metrics,
        })?;
        *window = LogWindow::new(self.position.step, self.compute);
        Ok(())
    }

    fn finish_epoch(&mut self, steps: usize) -> Result<(), Error> {
        let epoch = self.position.epoch + 1;
        let every = self.config.knn.every_epochs;
        let neighbours = every > 0 && (epoch.is_multiple_of(every) || epoch == self.config.scheduler.epochs);
        let evaluator = Evaluator {
            config: self.config,
            compute: self.compute,
            data: self.data,
            views: self.views,
            world: &self.world,
            context: self.context(),
            stop: self.stop.clone(),
            state: self.snapshot()?,
            observer: &*self.observer,
        };
        let mut metrics = evaluator.validate(self.method.as_mut(), self.head.as_ref(), neighbours)?;
        metrics.insert(metric::EPOCH_LOSS.name.to_owned(), self.position.loss_sum / steps as f64);
        if let Some(head) = &mut self.head {
            metrics.extend(head.take_train_metrics()?.iter().flat_map(|train| head_metrics(Split::Train, train)));
        }
        self.ensure_finite(&metrics, epoch)?;
        collapse::of_scores(&metrics, &mut self.warnings);
        self.position.epoch = epoch;
        if let Device::Cuda(index) = self.compute.device {
            metrics.insert(metric::PEAK_MEMORY.name.to_owned(), native::cuda_peak(index)? as f64);
        }
        self.observer.epoch(self.position.step, epoch, &metrics)?;
        self.last_metrics = metrics;
        self.position.step_in_epoch = 0;
        self.position.loss_sum = 0.0;
        let period = self.config.train.checkpoint_period;
        self.save(self.stop.save_requested(), period > 0 && epoch.is_multiple_of(period))
    }

    /// Batch norm by batch can keep the training loss finite while the encoder's own statistics are not.
    fn ensure_finite(&self, metrics: &BTreeMap<String, f64>, epoch: usize) -> Result<(), Error> {
        let is_broken = |name: &str| metrics.get(name).is_some_and(|value| !value.is_finite());
        match [metric::VAL_LOSS.name, metric::FEATURE_STD.name].into_iter().find(|name| is_broken(name)) {
            None => Ok(()),
            Some(name) => {
                let what = format!("`{name}` is not finite after epoch {epoch}: training has diverged");
                Err(divergence::diverged(&what, self.config, self.has_checkpoint()))
            }
        }
    }
}
