use super::support::{assert_close, elements, fixture, labels, numbers, tensor};
use selfsame::config::schema::{KnnConfig, LinearHeadConfig};
use selfsame::probe::{
    LinearHead, Objective, ScoredPredictions, auroc, average_precision, feature_std, knn_votes, linear_probe,
};
use selfsame_plugin_api::Task;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Share of the rows whose largest probability is that of their class.
fn accuracy(probabilities: &Tensor, truth: &Tensor) -> f64 {
    let scores = ScoredPredictions::new(Task::Multiclass, probabilities, truth).unwrap().scores();
    scores.iter().find(|(score, _)| score.name == "accuracy").and_then(|(_, score)| *score).unwrap()
}

#[test]
fn knn_equals_a_plain_implementation_ties_included() {
    for case in fixture("knn").as_array().unwrap() {
        let config = KnnConfig {
            k: case["k"].as_u64().unwrap() as usize,
            temperature: case["temperature"].as_f64().unwrap(),
            ..KnnConfig::default()
        };
        let (bank, known) = (tensor(&case["bank"]), labels(&case["labels"]));
        let (queries, truth) = (tensor(&case["queries"]), labels(&case["truth"]));
        let classes = case["classes"].as_u64().unwrap() as usize;
        let votes = knn_votes(&config, classes, (&bank, &known), &queries).unwrap();
        assert_eq!(elements(&votes.argmax(1, false)), numbers(&case["predictions"]));
        assert_close(&[accuracy(&votes, &truth)], &numbers(&case["accuracy"]), 1e-12);
    }
}

#[test]
fn knn_survives_a_temperature_that_overflows_an_exponential() {
    let features = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 1.0]).reshape([2, 2]);
    let known = Tensor::from_slice(&[0_i64, 1]);
    let config = KnnConfig { k: 2, temperature: 1e-3, ..KnnConfig::default() };
    assert_eq!(accuracy(&knn_votes(&config, 2, (&features, &known), &features).unwrap(), &known), 1.0);
}

#[test]
fn knn_chunks_its_queries_without_changing_them() {
    // k × classes is so large that a chunk holds two queries.
    let bank = Tensor::eye(5, CPU);
    let known = Tensor::arange(5, (Kind::Int64, Device::Cpu));
    let config = KnnConfig { k: 5, ..KnnConfig::default() };
    let votes = knn_votes(&config, 1_500_000, (&bank, &known), &bank).unwrap();
    assert_eq!(elements(&votes.argmax(1, false)), [0.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn knn_rejects_features_without_their_labels() {
    let (bank, known) = (Tensor::eye(3, CPU), Tensor::from_slice(&[0_i64, 1]));
    let error = knn_votes(&KnnConfig::default(), 2, (&bank, &known), &bank).unwrap_err().to_string();
    assert!(error.contains("3 features and 2 labels in the bank"), "{error}");
}

#[test]
fn ranking_metrics_equal_scikit_learns() {
    for case in fixture("metrics").as_array().unwrap() {
        let scores = numbers(&case["scores"]);
        let positive: Vec<bool> = numbers(&case["labels"]).iter().map(|l| *l == 1.0).collect();
        assert_close(&[auroc(&scores, &positive).unwrap()], &numbers(&case["auroc"]), 1e-9);
        let expected = numbers(&case["average_precision"]);
        assert_close(&[average_precision(&scores, &positive).unwrap()], &expected, 1e-9);
    }
}

#[test]
fn ranking_metrics_need_both_classes_and_numbers() {
    for positive in [[true, true], [false, false]] {
        assert_eq!(auroc(&[0.1, 0.2], &positive), None);
        assert_eq!(average_precision(&[0.1, 0.2], &positive), None);
    }
    assert_eq!(auroc(&[], &[]), None);
    assert_eq!(auroc(&[f64::NAN, 0.2], &[true, false]), None);
    // The two zeros are one score.
    assert_eq!(auroc(&[0.0, -0.0], &[true, false]), Some(0.5));
}

#[test]
fn collapsed_features_have_no_spread_and_isotropic_ones_have_one() {
    let collapsed = Tensor::ones([50, 16], CPU) * Tensor::arange_start(1, 51, CPU).unsqueeze(1);
    assert_close(&elements(&feature_std(&collapsed).unwrap()), &[0.0], 1e-6);
    // All ±eᵢ: each dimension has variance 1/D.
    let isotropic = Tensor::cat(&[Tensor::eye(16, CPU), -Tensor::eye(16, CPU)], 0) * 3.0;
    assert_close(&elements(&feature_std(&isotropic).unwrap()), &[1.0], 1e-6);
}

/// Four samples on the corners of a square.
fn corners() -> Tensor {
    Tensor::from_slice(&[1.0_f32, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0]).reshape([4, 2])
}

fn head(task: Task, classes: usize, balance_on: Option<&Tensor>) -> LinearHead {
    let config = LinearHeadConfig { learning_rate: 0.05, ..LinearHeadConfig::default() };
    LinearHead::new(&config, task, 2, classes, balance_on, Device::Cpu).unwrap()
}

/// Weights that give logits (0, x₁) for two classes.
fn set_identity(head: &LinearHead) {
    let _no_grad = tch::no_grad_guard();
    let [mut weight, mut bias] = <[_; 2]>::try_from(head.parameters()).unwrap().map(|p| p.tensor);
    weight.copy_(&Tensor::from_slice(&[0.0_f32, 0.0, 1.0, 0.0]).reshape([2, 2]));
    let _ = bias.zero_();
}

#[test]
fn the_head_scores_the_hand_worked_numbers() {
    let head = head(Task::Binary, 2, None);
    set_identity(&head);
    // Logit of the positive class against the negative: 1, 1, −1, −1; the third sample is wrong.
    let metrics = head.evaluate(&corners(), &Tensor::from_slice(&[1_i64, 1, 1, 0])).unwrap();
    let (right, wrong) = ((1.0 + (-1.0_f64).exp()).ln(), (1.0 + 1.0_f64.exp()).ln());
    assert_close(&[metrics.loss, metrics.accuracy], &[(3.0 * right + wrong) / 4.0, 0.75], 1e-6);
    // Pairs: two above the negative, one tied with it.
    assert_close(&[metrics.auroc.unwrap()], &[2.5 / 3.0], 1e-9);
    assert_close(&[metrics.auprc.unwrap()], &[2.0 / 3.0 + 0.75 / 3.0], 1e-9);
}

#[test]
fn balanced_weights_count_every_class_alike() {
    // Weights are 1/3 and 1 before normalisation, so the mean is over classes of the mean over their samples.
    let targets = Tensor::from_slice(&[1_i64, 1, 1, 0]);
    let head = head(Task::Binary, 2, Some(&targets));
    set_identity(&head);
    let metrics = head.evaluate(&corners(), &targets).unwrap();
    let (right, wrong) = ((1.0 + (-1.0_f64).exp()).ln(), (1.0 + 1.0_f64.exp()).ln());
    assert_close(&[metrics.loss], &[0.5 * right + 0.5 * (2.0 * right + wrong) / 3.0], 1e-6);
}

#[test]
fn a_multilabel_head_averages_labels_that_have_both_classes() {
    let head = head(Task::Multilabel, 2, None);
    set_identity(&head);
    // Label 1 follows x₁ but for one sample, label 0 is always there: only label 1 ranks.
    let targets = Tensor::from_slice(&[1_u8, 1, 1, 1, 1, 1, 1, 0]).reshape([4, 2]);
    let metrics = head.evaluate(&corners(), &targets).unwrap();
    assert_close(&[metrics.auroc.unwrap()], &[2.5 / 3.0], 1e-9);
    // A logit of 0 is not above one half, so label 0 is always wrong.
    let (right, wrong) = ((1.0 + (-1.0_f64).exp()).ln(), (1.0 + 1.0_f64.exp()).ln());
    let loss = (4.0 * 2.0_f64.ln() + 3.0 * right + wrong) / 8.0;
    assert_close(&[metrics.loss, metrics.accuracy], &[loss, 3.0 / 8.0], 1e-6);
}

#[test]
fn balanced_multilabel_weights_are_negatives_per_positive() {
    // Label 0 never occurs (weight 1); label 1 has one positive to three negatives (weight 3).
    let targets = Tensor::from_slice(&[0_u8, 0, 0, 0, 0, 0, 0, 1]).reshape([4, 2]);
    let head = head(Task::Multilabel, 2, Some(&targets));
    set_identity(&head);
    let (right, wrong) = ((1.0 + (-1.0_f64).exp()).ln(), (1.0 + 1.0_f64.exp()).ln());
    let expected = (4.0 * 2.0_f64.ln() + 2.0 * wrong + right + 3.0 * wrong) / 8.0;
    assert_close(&[head.evaluate(&corners(), &targets).unwrap().loss], &[expected], 1e-6);
}

#[test]
fn the_head_learns_and_reports_what_it_saw() {
    let mut head = head(Task::Multiclass, 4, None);
    let targets = Tensor::arange(4, (Kind::Int64, Device::Cpu));
    assert_eq!(head.take_train_metrics().unwrap(), None);
    let before = head.evaluate(&corners(), &targets).unwrap();
    head.train_step(&corners(), &targets).unwrap();
    let first = head.take_train_metrics().unwrap().unwrap();
    assert_close(&[first.loss, first.accuracy], &[before.loss, before.accuracy], 1e-6);
    (0..200).for_each(|_| head.train_step(&corners(), &targets).unwrap());
    let after = head.evaluate(&corners(), &targets).unwrap();
    assert!(after.accuracy == 1.0 && after.loss < 0.5 * before.loss, "{after:?}");
    assert_eq!((after.auroc, after.auprc), (None, None));
}

#[test]
fn a_restored_head_continues_bit_for_bit() {
    let targets = Tensor::arange(4, (Kind::Int64, Device::Cpu));
    let (mut straight, mut resumed) = (head(Task::Multiclass, 4, None), head(Task::Multiclass, 4, None));
    (0..3).for_each(|_| straight.train_step(&corners(), &targets).unwrap());
    let saved: BTreeMap<_, _> = straight.optimizer_state().into_iter().map(|(n, t)| (n, t.copy())).collect();
    resumed.load_optimizer_state(&saved).unwrap();
    for (mut to, from) in resumed.parameters().into_iter().zip(straight.parameters()) {
        tch::no_grad(|| to.tensor.copy_(&from.tensor));
    }
    for head in [&mut straight, &mut resumed] {
        (0..2).for_each(|_| head.train_step(&corners(), &targets).unwrap());
    }
    for (a, b) in straight.parameters().iter().zip(resumed.parameters()) {
        assert_eq!(elements(&a.tensor), elements(&b.tensor));
    }
}

#[test]
fn training_batches_are_ranked_together_as_one_evaluation_would() {
    // A learning rate too small to change a logit: what the batches score together is what all samples score at once.
    let still = LinearHeadConfig { learning_rate: 1e-30, ..LinearHeadConfig::default() };
    let binary = Tensor::from_slice(&[1_i64, 1, 1, 0]);
    let multilabel = Tensor::from_slice(&[1_u8, 1, 0, 1, 1, 1, 1, 0]).reshape([4, 2]);
    for (task, targets) in [(Task::Binary, binary), (Task::Multilabel, multilabel)] {
        let mut head = LinearHead::new(&still, task, 2, 2, None, Device::Cpu).unwrap();
        set_identity(&head);
        let _ = tch::no_grad(|| head.parameters().remove(1).tensor.fill_(0.5));
        for (from, to) in [(0, 1), (1, 4)] {
            head.train_step(&corners().slice(0, from, to, 1), &targets.slice(0, from, to, 1)).unwrap();
        }
        let (whole, train) =
            (head.evaluate(&corners(), &targets).unwrap(), head.take_train_metrics().unwrap().unwrap());
        assert_close(&[train.loss, train.accuracy], &[whole.loss, whole.accuracy], 1e-6);
        assert!(whole.auroc.is_some() && whole.auprc.is_some(), "{task:?}");
        assert_eq!((train.auroc, train.auprc), (whole.auroc, whole.auprc), "{task:?}");
    }
}

#[test]
fn the_metrics_of_half_an_epoch_survive_a_checkpoint() {
    let targets = Tensor::from_slice(&[1_i64, 1, 1, 0]);
    for task in [Task::Binary, Task::Multiclass] {
        let mut straight = head(task, 2, None);
        set_identity(&straight);
        straight.train_step(&corners(), &targets).unwrap();
        let saved: BTreeMap<_, _> = straight.train_metrics_state().unwrap().into_iter().collect();
        let mut resumed = head(task, 2, None);
        resumed.load_train_metrics(&saved).unwrap();
        let expected = straight.take_train_metrics().unwrap();
        assert_eq!(resumed.take_train_metrics().unwrap(), expected);
        assert_eq!(expected.unwrap().auroc.is_some(), task == Task::Binary);
        assert!(straight.train_metrics_state().unwrap().is_empty());
        resumed.load_train_metrics(&BTreeMap::new()).unwrap();
        assert_eq!(resumed.take_train_metrics().unwrap(), None);

        let missing = saved.into_iter().filter(|(name, _)| name != "loss").collect();
        let error = resumed.load_train_metrics(&missing).unwrap_err().to_string();
        assert!(error.contains("`loss`"), "{error}");
    }
}

#[test]
fn a_head_without_labels_is_refused() {
    let config = LinearHeadConfig::default();
    let error = LinearHead::new(&config, Task::None, 2, 2, None, Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("linear_head.enabled"), "{error}");
}

#[test]
fn the_linear_probe_agrees_with_logistic_regression() {
    let data = fixture("linear_probe");
    let (train, known) = (tensor(&data["train"]), labels(&data["train_labels"]));
    let (eval, truth) = (tensor(&data["eval"]), labels(&data["eval_labels"]));
    let objective = Objective::new(Task::Multiclass, 3, None).unwrap();
    let probabilities = || linear_probe(&objective, (&train, &known), &eval).unwrap();
    let (found, expected) = (accuracy(&probabilities(), &truth), data["accuracy"].as_f64().unwrap());
    assert!((found - expected).abs() <= 0.01, "found {found}, scikit-learn {expected}");
    assert_eq!(probabilities(), probabilities());
}

#[test]
fn the_linear_probe_ignores_constant_features() {
    let x = Tensor::cat(&[corners(), Tensor::full([4, 1], 7.0, CPU)], 1);
    let y = Tensor::arange(4, (Kind::Int64, Device::Cpu));
    let objective = Objective::new(Task::Multiclass, 4, None).unwrap();
    assert_eq!(accuracy(&linear_probe(&objective, (&x, &y), &x).unwrap(), &y), 1.0);
}
