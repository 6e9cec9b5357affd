use super::*;

#[test]
fn names_are_understood() {
    assert_eq!(parse("auto").unwrap(), Wish::Auto);
    assert_eq!(parse("cpu").unwrap(), Wish::Cpu);
    assert_eq!(parse("cuda").unwrap(), Wish::Cuda(0));
    assert_eq!(parse("cuda:3").unwrap(), Wish::Cuda(3));
}

#[test]
fn other_names_are_refused_with_the_known_ones() {
    for name in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "cuda:99999999999999999999"] {
        let e = select(name).unwrap_err().to_string();
        assert!(e.contains(&format!("`{name}` is not a device")), "{e}");
        assert!(e.contains("`auto`, `cpu`, `cuda` or `cuda:N`"), "{e}");
    }
}

#[test]
fn the_cpu_needs_nothing_and_says_nothing() {
    assert_eq!(select("cpu").unwrap(), Selected { device: Device::Cpu, bfloat16: false, note: None });
}

/// A machine with GPUs of these compute capabilities, and a libtorch with kernels for 7.5 and newer.
struct Machine(Vec<f64>);

impl Gpus for Machine {
    fn load(&self, _: &str) -> Result<(), DeviceError> {
        Ok(())
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn compute(&self, index: usize) -> Result<(), String> {
        let no_kernels = "CUDA error: no kernel image is available for execution on the device";
        if self.0[index] < 7.5 { Err(no_kernels.into()) } else { Ok(()) }
    }

    fn bfloat16(&self, index: usize) -> Result<bool, String> {
        Ok(self.0[index] >= 8.0)
    }
}

#[test]
fn a_gpu_without_kernels_is_refused_by_name_and_passed_over_by_auto_with_a_line() {
    let old = Machine(vec![7.0, 9.0]);
    let error = select_among(&old, "cuda").unwrap_err().to_string();
    for part in ["`cuda`: GPU 0 does not compute", "no kernel image", "7.5", "CUDA_VISIBLE_DEVICES"] {
        assert!(error.contains(part), "{error}");
    }
    let auto = select_among(&old, "auto").unwrap();
    assert_eq!(auto.device, Device::Cpu);
    assert!(auto.note.unwrap().contains("GPU 0 does not compute: CUDA error: no kernel image"));
    let second = select_among(&old, "cuda:1").unwrap();
    assert_eq!(second, Selected { device: Device::Cuda(1), bfloat16: true, note: None });
    let error = select_among(&old, "cuda:2").unwrap_err().to_string();
    assert!(error.contains("there are 2 GPUs, numbered from 0"), "{error}");
    assert!(select_among(&Machine(vec![]), "cuda").unwrap_err().to_string().contains("no usable GPU"));
}

#[test]
fn each_process_of_a_machine_takes_its_own_gpu() {
    let four = Machine(vec![9.0; 4]);
    for name in ["cuda", "auto"] {
        assert_eq!(own_among(&four, name, (3, 4)).unwrap().device, Device::Cuda(3), "{name}");
        let one = Machine(vec![9.0]);
        assert_eq!(own_among(&one, name, (1, 2)).unwrap().device, Device::Cuda(0), "the only one that it sees");
        let error = own_among(&four, name, (0, 8)).unwrap_err().to_string();
        assert!(error.contains("8 processes and 4 GPUs"), "{error}");
    }
    assert_eq!(own_among(&four, "cpu", (1, 2)).unwrap().device, Device::Cpu);
    assert_eq!(own_among(&Machine(vec![]), "auto", (1, 2)).unwrap().device, Device::Cpu);
    assert_eq!(own_among(&four, "cuda:2", (0, 1)).unwrap().device, Device::Cuda(2));
    let error = own_among(&four, "cuda:2", (0, 2)).unwrap_err();
    assert_eq!(error, DeviceError::SameForAll("cuda:2".into()));
}

#[test]
fn bfloat16_is_taken_from_compute_capability_8_on() {
    for (capability, bfloat16) in [(7.5, false), (8.0, true), (8.6, true), (12.0, true)] {
        let selected = select_among(&Machine(vec![capability]), "auto").unwrap();
        assert_eq!((selected.device, selected.bfloat16), (Device::Cuda(0), bfloat16), "{capability}");
        assert_eq!(selected.note.is_some(), !bfloat16, "{capability}");
    }
}

#[test]
fn cudas_errors_are_one_line() {
    let message = "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported\nFor debugging …\n\
                   Exception raised from c10_cuda_check_implementation at CUDAException.cpp:44";
    assert_eq!(first_line(message), "CUDA error: out of memory");
}

#[test]
fn libtorch_is_found_where_it_was_loaded_from() {
    // A call into libtorch, so that it is linked.
    assert!(tch::get_num_threads() >= 1);
    assert!(libtorch_folder().unwrap().join("libtorch_cpu.so").exists());
}

#[test]
fn cuda_without_cuda_is_one_clear_error_and_auto_falls_back() {
    match select("cuda") {
        Ok(selected) => {
            assert!(selected.device.is_cuda());
            assert!(select("auto").unwrap().device.is_cuda());
            let e = select("cuda:4000").unwrap_err().to_string();
            assert!(e.contains("`cuda:4000` was asked for, but there are"), "{e}");
        }
        Err(e) => {
            let message = e.to_string();
            assert!(message.starts_with("train.device: `cuda` "), "{message}");
            assert!(message.contains("set train.device to `cpu`"), "{message}");
            assert!([LIBTORCH_CUDA, DRIVER, "GPU"].iter().any(|name| message.contains(name)), "{message}");
            let auto = select("auto").unwrap();
            assert_eq!(auto.device, Device::Cpu);
            assert!(auto.note.unwrap().starts_with("computing on the CPU: "));
        }
    }
}

#[test]
fn the_library_that_is_missing_is_named() {
    let reason = native::open_library(Path::new("libthat_does_not_exist.so")).unwrap_err();
    assert!(reason.starts_with("libthat_does_not_exist.so"), "{reason}");
}
