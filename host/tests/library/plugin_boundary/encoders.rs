use super::{assert_place, registry};
use selfsame::native::autocast;
use selfsame::output::torchscript::export_torchscript;
use selfsame::plugin::PluginFailure;
use selfsame_encoder_api::{Buffer, Encoder, EncoderRequest, Parameter};
use selfsame_plugin_api::{ErrorKind, PluginError};
use serde_json::json;
use tch::{Device, Kind, Tensor, no_grad};

fn encoder(fault: &str) -> Result<Box<dyn Encoder>, PluginFailure> {
    let request = EncoderRequest {
        name: "tiny".into(),
        channels: 1,
        image_size: (2, 2),
        stem: None,
        options: json!({ "fault": fault }),
    };
    registry().create_encoder(&request, Device::Cpu)
}

#[test]
fn a_panic_in_any_method_of_an_encoder_is_an_error_with_its_place() {
    for method in ["create", "feature_dim", "parameters", "buffers"] {
        let error = encoder(&format!("panic:{method}")).err().unwrap();
        assert_place(&error.to_string(), method, "meet.rs");
    }
    let error =
        encoder("panic:forward").unwrap().forward(&Tensor::zeros([1, 1, 2, 2], (Kind::Float, Device::Cpu)), true);
    assert_place(&error.unwrap_err().to_string(), "Encoder::forward", "meet.rs");
}

#[test]
fn a_shape_error_inside_an_encoder_arrives_without_its_backtrace() {
    let x = Tensor::zeros([2, 1, 2, 2], (Kind::Float, Device::Cpu));
    for fault in ["shape", "shape:returned"] {
        let message = encoder(fault).unwrap().forward(&x, true).unwrap_err().to_string();
        assert!(message.contains("plugin `selfsame-hostile-plugin`, encoder `tiny`"), "{message}");
        assert!(message.contains("shapes cannot be multiplied") || message.contains("must match"), "{message}");
        assert!(!message.contains("Exception raised") && !message.contains("frame #"), "{message}");
        assert!(message.len() < 400, "{message}");
    }
}

#[test]
fn gradients_flow_from_the_host_through_the_plugin_and_back() {
    let encoder = encoder("").unwrap();
    let weight = encoder.parameters().remove(0);
    assert_eq!(weight.name, "fc.weight");
    let x = Tensor::rand([5, 1, 2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    encoder.forward(&x, true).unwrap().sum(Kind::Float).backward();
    // d(sum)/dW sums the inputs, d(sum)/dx sums the weights.
    let column = x.detach().flatten(1, -1).sum_dim_intlist(0, true, Kind::Float).expand([3, 4], false);
    assert!(weight.tensor.grad().allclose(&column, 1e-5, 1e-6, false));
    let row = weight.tensor.detach().sum_dim_intlist(0, true, Kind::Float).expand([5, 4], false);
    assert!(x.grad().flatten(1, -1).allclose(&row, 1e-5, 1e-6, false));
    assert!(!tch::no_grad(|| encoder.forward(&x, true)).unwrap().requires_grad());
    // Two forwards in training mode, seen through the host's handle.
    assert_eq!(encoder.buffers()[0].tensor.int64_value(&[]), 2);
}

#[test]
fn parameters_are_handles_and_the_seed_decides_them() {
    let weight = |seed| {
        tch::manual_seed(seed);
        encoder("").unwrap().parameters().remove(0).tensor
    };
    // Other tests draw from the same global generator, so a draw may be disturbed: equality once is proof.
    assert!((0..100).any(|_| weight(42).equal(&weight(42))));
    assert!(!weight(42).equal(&weight(43)));

    let encoder = encoder("").unwrap();
    let mut weight = encoder.parameters().remove(0).tensor;
    let _ = tch::no_grad(|| weight.fill_(2.0));
    let x = Tensor::ones([1, 1, 2, 2], (Kind::Float, Device::Cpu));
    assert!(encoder.forward(&x, false).unwrap().equal(&Tensor::full([1, 3], 8.0, (Kind::Float, Device::Cpu))));
}

#[test]
fn an_encoder_moves_between_threads() {
    let encoder = encoder("").unwrap();
    let shape = std::thread::spawn(move || {
        encoder.forward(&Tensor::zeros([6, 1, 2, 2], (Kind::Float, Device::Cpu)), false).unwrap().size()
    });
    assert_eq!(shape.join().unwrap(), [6, 3]);
}

#[test]
fn answers_that_break_the_contract_are_errors() {
    let error = encoder("wrong:names").err().unwrap().to_string();
    assert!(error.contains("the same name"), "{error}");
    let error = encoder("wrong:leaf").err().unwrap().to_string();
    assert!(error.contains("parameter `fc.weight` is not a leaf"), "{error}");
    let x = Tensor::zeros([5, 1, 2, 2], (Kind::Float, Device::Cpu));
    let error = encoder("wrong:dim").unwrap().forward(&x, false).unwrap_err().to_string();
    assert!(error.contains("returned shape [5, 2], expected [5, 3]"), "{error}");
}

#[test]
fn an_encoder_is_named_for_what_it_answers() {
    let x = || Tensor::ones([2, 1, 2, 2], (Kind::Float, Device::Cpu));
    let cases = [
        ("double", true, "`forward` returned Double, expected Float"),
        ("half", true, "`forward` returned Half, expected Float"),
        ("int", true, "`forward` returned Int64, expected Float"),
        ("inplace", true, "`forward` changed its input"),
        ("inplace", false, "`forward` changed its input"),
        ("nan", false, "`forward` returned values that are not finite"),
        ("inf", false, "`forward` returned values that are not finite"),
    ];
    for (fault, train, expected) in cases {
        let error = no_grad(|| encoder(fault).unwrap().forward(&x(), train)).unwrap_err();
        let error = PluginError::from(error);
        assert_eq!(error.kind, ErrorKind::Contract, "{error}");
        assert!(error.message.starts_with("plugin `selfsame-hostile-plugin`, encoder `tiny`"), "{error}");
        assert!(error.message.contains(expected), "{error}");
    }
    let error = encoder("huge").err().unwrap().to_string();
    assert!(error.contains("`feature_dim` is 18446744073709551615"), "{error}");
    // Weights that training has spoilt are not the plugin's fault, and nor is an image.
    let diverged = encoder("").unwrap();
    let _ = no_grad(|| diverged.parameters().remove(0).tensor.fill_(f64::NAN));
    assert!(diverged.forward(&x(), false).is_ok());
    assert!(encoder("").unwrap().forward(&(x() / 0.0), false).is_ok());
}

#[test]
fn an_encoder_may_answer_bfloat16_under_autocast_alone() {
    let x = Tensor::ones([2, 1, 2, 2], (Kind::Float, Device::Cpu));
    let _autocast = autocast(Device::Cpu, Some(Kind::BFloat16)).unwrap();
    assert_eq!(no_grad(|| encoder("").unwrap().forward(&x, false)).unwrap().kind(), Kind::BFloat16);
}

#[test]
fn an_encoder_of_a_plugin_becomes_a_module_that_needs_no_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.pt");
    let encoder = encoder("none").unwrap();
    export_torchscript(&path, encoder.as_ref(), [1, 2, 2]).unwrap();
    let module = tch::CModule::load(&path).unwrap();
    let x = Tensor::linspace(-1, 1, 7 * 4, (Kind::Float, Device::Cpu)).reshape([7, 1, 2, 2]);
    assert!(module.forward_ts(&[&x]).unwrap().equal(&encoder.forward(&x, false).unwrap()));
}

/// Returns zeros for as many images as it was given; a trace remembers the number.
struct CountsImages;

impl Encoder for CountsImages {
    fn forward(&self, x: &Tensor, _: bool) -> selfsame_encoder_api::Result<Tensor> {
        Ok(x.f_reshape([x.size()[0], 4])?)
    }

    fn feature_dim(&self) -> usize {
        4
    }

    fn parameters(&self) -> Vec<Parameter> {
        Vec::new()
    }

    fn buffers(&self) -> Vec<Buffer> {
        Vec::new()
    }
}

#[test]
fn a_trace_that_holds_for_one_batch_only_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let error = export_torchscript(&folder.path().join("e.pt"), &CountsImages, [1, 2, 2]).unwrap_err().to_string();
    assert!(error.contains("batch's size") && !error.contains("Exception raised"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let error = export_torchscript(&folder.path().join("absent/e.pt"), &CountsImages, [1, 2, 2]).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}
