use super::support::{assert_close, elements, fixture, labels, numbers, tensor};
use selfsame::config::schema::KnnConfig;
use selfsame::probe::{
    Cut, LinearFit, Objective, ScoredPredictions, auroc, average_precision, knn_votes, tuned_linear,
};
use selfsame_plugin_api::Task;
use tch::{Kind, Tensor};

/// Knuth's MMIX generator, as in the script that made the expected numbers.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn ranking_metrics_equal_scikit_learns_on_200_cases_with_ties() {
    for (case, expected) in fixture("ranking").as_array().unwrap().iter().enumerate() {
        let mut lcg = Lcg(case as u64);
        let (n, levels) = (2 + lcg.below(150), 2 + lcg.below([3, 10, 1000][case % 3]));
        let positives = 1 + lcg.below(9);
        let positive: Vec<bool> = (0..n).map(|_| lcg.below(10) < positives).collect();
        let scores: Vec<f64> = positive
            .iter()
            .map(|&positive| (lcg.below(levels) + u64::from(positive) * lcg.below(3)) as f64 / levels as f64)
            .collect();
        let found = [auroc(&scores, &positive), average_precision(&scores, &positive)];
        for (found, expected) in found.into_iter().zip(expected.as_array().unwrap()) {
            match (found, expected.as_f64()) {
                (Some(found), Some(expected)) => {
                    assert!((found - expected).abs() < 1e-9, "case {case}: {found} {expected}")
                }
                (found, expected) => assert_eq!(found, expected, "case {case}"),
            }
        }
    }
}

/// A case of the fixture `classification`: values `[n, classes]` and labels.
fn classification(case: usize) -> (u64, Tensor, Tensor) {
    let mut lcg = Lcg(1000 + case as u64);
    let (n, classes, levels) = (20 + lcg.below(80), 2 + lcg.below(11), 4 + lcg.below(1000));
    let labels: Vec<i64> = (0..n).map(|_| lcg.below(classes) as i64).collect();
    let value = |at: u64| lcg.below(levels) as f64 / levels as f64 - 1e-6 * (at % classes) as f64;
    let values: Vec<f64> = (0..n * classes).map(value).collect();
    (classes, Tensor::from_slice(&values).view([n as i64, classes as i64]), Tensor::from_slice(&labels))
}

#[test]
fn scores_by_class_equal_scikit_learns() {
    for (case, expected) in fixture("classification").as_array().unwrap().iter().enumerate() {
        let (classes, values, labels) = classification(case);
        let scored = ScoredPredictions::new(Task::Multiclass, &values, &labels).unwrap();
        let scores = scored.scores();
        let find = |name: &str| scores.iter().find(|(found, _)| found.name == name).and_then(|(_, score)| *score);
        for name in ["accuracy", "balanced_accuracy", "macro_f1"] {
            assert_close(&[find(name).unwrap()], &numbers(&expected[name]), 1e-9);
        }
        assert_eq!(find("top5_accuracy").is_some(), classes >= 10);
        if let Some(top5) = find("top5_accuracy") {
            assert_close(&[top5], &numbers(&expected["top5"]), 1e-9);
        }
        let one_against_rest = numbers(&expected["auroc"]);
        assert_close(&scored.class_auroc().into_iter().flatten().collect::<Vec<_>>(), &one_against_rest, 1e-9);
        let mean = one_against_rest.iter().sum::<f64>() / one_against_rest.len() as f64;
        assert_close(&[find("auroc").unwrap()], &[mean], 1e-9);
        let by_class = scored.class_scores(&|_| 1.0);
        assert_close(&by_class.iter().map(|c| c.precision).collect::<Vec<_>>(), &numbers(&expected["precision"]), 1e-9);
        assert_close(&by_class.iter().map(|c| c.recall).collect::<Vec<_>>(), &numbers(&expected["recall"]), 1e-9);
        assert_close(&by_class.iter().map(|c| c.f1).collect::<Vec<_>>(), &numbers(&expected["f1"]), 1e-9);
        assert_close(&by_class.iter().map(|c| c.support).collect::<Vec<_>>(), &numbers(&expected["support"]), 1e-9);
        let confusion = scored.confusion(&|_| 1.0);
        let counts: Vec<f64> = (0..classes as usize).flat_map(|truth| confusion.row(truth).to_vec()).collect();
        assert_eq!(counts, numbers(&expected["confusion"]));
    }
}

#[test]
fn weights_count_a_sample_as_often_as_repeating_it() {
    let (_, values, labels) = classification(3);
    let binary = (values.narrow(1, 0, 2), labels.remainder(2));
    for (task, values, labels) in [(Task::Multiclass, &values, &labels), (Task::Binary, &binary.0, &binary.1)] {
        let n = labels.size()[0];
        let times: Vec<i64> = (0..n).map(|i| i % 3).collect();
        let repeated = Tensor::arange(n, (Kind::Int64, tch::Device::Cpu)).repeat_interleave_self_tensor(
            &Tensor::from_slice(&times),
            0,
            None::<i64>,
        );
        let weighted = ScoredPredictions::new(task, values, labels).unwrap().weighted(&|sample| times[sample] as f64);
        let (values, labels) = (values.index_select(0, &repeated), labels.index_select(0, &repeated));
        for ((name, found), (_, expected)) in
            weighted.into_iter().zip(ScoredPredictions::new(task, &values, &labels).unwrap().weighted(&|_| 1.0))
        {
            assert!((found.unwrap() - expected.unwrap()).abs() < 1e-9, "{name}: {found:?} {expected:?}");
        }
    }
}

#[test]
fn multilabel_scores_are_those_of_single_labels() {
    // Two labels of four samples: the first is ranked right but for one pair, the second never occurs.
    let probabilities = Tensor::from_slice(&[0.9, 0.1, 0.6, 0.7, 0.4, 0.2, 0.1, 0.3]).view([4, 2]);
    let labels = Tensor::from_slice(&[1_i64, 0, 0, 0, 1, 0, 0, 0]).view([4, 2]);
    let scored = ScoredPredictions::new(Task::Multilabel, &probabilities, &labels).unwrap();
    // Wrong at one half: label 0 of samples 1 and 2, label 1 of sample 1.
    // Label 0: precision 1/2, recall 1/2, F1 1/2; label 1: predicted once, F1 0.
    // Average precision: (1 + 2/3) / 2.
    let expected = [("accuracy", 5.0 / 8.0), ("macro_f1", 0.25), ("auroc", 0.75), ("auprc", 5.0 / 6.0)];
    for ((name, score), (expected_name, expected)) in scored.scores().into_iter().zip(expected) {
        assert_eq!(name.name, expected_name);
        assert!((score.unwrap() - expected).abs() < 1e-12, "{name}: {score:?}");
    }
    assert_eq!(scored.class_auroc()[1], None);
}

#[test]
fn scores_without_samples_or_with_alien_labels_are_refused() {
    let probabilities = Tensor::from_slice(&[0.9, 0.1]).view([1, 2]);
    for labels in [Tensor::from_slice(&[2_i64]), Tensor::from_slice(&[-1_i64]), Tensor::from_slice(&[0_i64, 1])] {
        assert!(ScoredPredictions::new(Task::Multiclass, &probabilities, &labels).is_err());
    }
    let none = Tensor::zeros([0, 2], (Kind::Double, tch::Device::Cpu));
    assert!(ScoredPredictions::new(Task::Binary, &none, &Tensor::zeros(0, (Kind::Int64, tch::Device::Cpu))).is_err());
}

#[test]
fn votes_are_the_shares_of_the_neighbours_weights() {
    // The query's neighbours have similarities 1 and 0.8; the third, of 0, is none of the two nearest.
    let bank = Tensor::from_slice(&[1.0_f32, 0.0, 0.8, 0.6, 0.0, 1.0]).view([3, 2]);
    let query = Tensor::from_slice(&[2.0_f32, 0.0]).view([1, 2]);
    let config = KnnConfig { k: 2, temperature: 0.5, ..KnnConfig::default() };
    let (near, far) = (1.0, (-0.2_f64 / 0.5).exp());
    let known = Tensor::from_slice(&[1_i64, 0, 0]);
    let expected = [far / (near + far), near / (near + far)];
    assert_close(&elements(&knn_votes(&config, 2, (&bank, &known), &query).unwrap()), &expected, 1e-6);
    // Of several labels, each has its own share.
    let flags = Tensor::from_slice(&[1.0_f32, 1.0, 0.0, 1.0, 1.0, 1.0]).view([3, 2]);
    let expected = [near / (near + far), 1.0];
    assert_close(&elements(&knn_votes(&config, 2, (&bank, &flags), &query).unwrap()), &expected, 1e-6);
}

#[test]
fn logistic_regression_gives_scikit_learns_probabilities() {
    let data = fixture("linear_probe");
    let (train, known) = (tensor(&data["train"]), labels(&data["train_labels"]));
    let objective = Objective::new(Task::Multiclass, 3, None).unwrap();
    // C = 0.01 on 300 samples is λ = 1 / (0.01 · 300).
    let model = LinearFit::new(&objective, &train, &known).unwrap().minimize(1.0 / 3.0, 1e-5).unwrap();
    let eval = tensor(&data["eval"]).narrow(0, 0, 20);
    let found = objective.probabilities(&model.logits(&eval).unwrap()).unwrap();
    assert_close(&elements(&found), &numbers(&data["strong_probabilities"]), 1e-4);
    let (weight, bias) = model.on_raw_features().unwrap();
    let raw = objective.probabilities(&eval.linear(&weight, Some(&bias))).unwrap();
    assert_close(&elements(&raw), &elements(&found), 1e-4);
}

#[test]
fn each_label_of_several_is_a_logistic_regression_of_its_own() {
    let data = fixture("linear_probe");
    let (train, known) = (tensor(&data["train"]), labels(&data["train_labels"]));
    let flags = Tensor::stack(&[known.ne(0), known.eq(2)], 1).to_kind(Kind::Int64);
    let objective = Objective::new(Task::Multilabel, 2, None).unwrap();
    let model = LinearFit::new(&objective, &train, &flags).unwrap().minimize(1.0 / 300.0, 1e-5).unwrap();
    let queries = tensor(&data["eval"]).narrow(0, 0, 20);
    let found = objective.probabilities(&model.logits(&queries).unwrap()).unwrap();
    assert_close(&elements(&found), &numbers(&data["flag_probabilities"]), 1e-4);
}

#[test]
fn the_regularisation_is_chosen_on_held_out_rows_of_the_training_split() {
    // 40 noise dimensions and 60 rows: without regularisation the noise is learnt by heart.
    let mut lcg = Lcg(7);
    let mut noise = || lcg.below(2001) as f32 / 1000.0 - 1.0;
    let rows = |n: i64, noise: &mut dyn FnMut() -> f32| {
        let values: Vec<f32> =
            (0..n * 41).map(|at| if at % 41 == 0 { ((at / 41) % 2) as f32 + noise() } else { noise() }).collect();
        (Tensor::from_slice(&values).view([n, 41]), Tensor::arange(n, (Kind::Int64, tch::Device::Cpu)).remainder(2))
    };
    let ((train, known), (eval, truth)) = (rows(60, &mut noise), rows(400, &mut noise));
    let objective = Objective::new(Task::Multiclass, 2, None).unwrap();
    let cut = Cut { fit: (0..40).collect(), held: (40..60).collect() };
    let (model, l2) = tuned_linear(&objective, &train, &known, &cut).unwrap();
    assert!(l2 >= 1e-2, "{l2}");
    let accuracy =
        |logits: Tensor| (logits.argmax(1, false).eq_tensor(&truth)).to_kind(Kind::Double).mean(None).double_value(&[]);
    let loose = LinearFit::new(&objective, &train, &known).unwrap().minimize(1e-6, 1e-5).unwrap();
    assert!(accuracy(model.logits(&eval).unwrap()) > accuracy(loose.logits(&eval).unwrap()));
    assert_eq!(tuned_linear(&objective, &train, &known, &cut).unwrap().1, l2);
    // Nothing to choose by: C = 1.
    assert_eq!(tuned_linear(&objective, &train, &known, &Cut::default()).unwrap().1, 1.0 / 60.0);
}
