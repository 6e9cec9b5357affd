//! Misbehaves on request: the option `fault` names what goes wrong.

mod encoder;
mod floats;
mod meet;
mod samples;

use meet::{hang, meet};
use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, ErrorKind, OptionSpec, PluginError, Result, Samples, Services, Split, parse_options,
};

selfsame_encoder_api::export_plugin! {
    datasets: {
        "hostile" => (card, create),
        "bad-card" => (bad_card, create),
        "panicking-card" => (panicking_card, create),
        "floats" => (floats_card, create_floats),
    },
    encoders: {
        "tiny" => (encoder::card, encoder::create),
    },
}

/// The options of everything in this plugin.
#[derive(serde::Deserialize, Clone, Default)]
#[serde(default)]
pub struct Options {
    /// What goes wrong, such as `panic:read` or `wrong:targets`; empty: nothing.
    fault: String,
}

fn options() -> Vec<OptionSpec> {
    vec![OptionSpec::new("fault", "What goes wrong; default: nothing.")]
}

fn card(name: &str) -> Card {
    // A card is made without options.
    meet(&std::env::var("HOSTILE").unwrap_or_default(), &format!("{name}.card"));
    let mut card = Card::new(name, "Four 2×2 images, and faults.")
        .images(1, 8, (2, 2))
        .classes(["even", "odd"])
        .splits([Split::Train, Split::Test])
        .normalization([0.5], [0.25])
        .licence("MIT")
        .recommended(serde_json::json!({ "augmentation": { "use_random_crop": true } }));
    card.options = options();
    card
}

fn bad_card(name: &str) -> Card {
    card(name).normalization([0.5], [0.0])
}

fn panicking_card(_: &str) -> Card {
    panic!("no card today")
}

fn floats_card(name: &str) -> Card {
    card(name).images(4, 32, (1, 2)).normalization([0.1, 0.35, 0.6, 0.9], [0.1; 4]).splits([Split::Train])
}

fn create_floats(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    let Options { fault } = parse_options(&request.options, &options())?;
    Ok(Box::new(floats::Floats { fault }))
}

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    let careless = request.options["fault"] == "careless";
    let Options { fault } = if careless { Options::default() } else { parse_options(&request.options, &options())? };
    // The variable is of one process, where the option is of all.
    let fault = Some(fault).filter(|fault| !fault.is_empty()).or(std::env::var("HOSTILE").ok()).unwrap_or_default();
    meet(&fault, "create");
    Ok(Box::new(Hostile { fault }))
}

/// What a panic carries; panics once more when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("in a payload")
    }
}

struct Hostile {
    fault: String,
}

impl Dataset for Hostile {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        meet(&self.fault, "prepare");
        match self.fault.as_str() {
            "thread" => drop(std::thread::spawn(|| panic!("in a thread")).join()),
            "missing" => return Err(PluginError::data("`images.bin` is missing; download it")),
            "escapes" => return Err(PluginError::data("\x1b]0;pwned\x07`im\nages.bin`\r\nerror: fake")),
            "payload" => std::panic::panic_any(7),
            "payload:drop" => std::panic::panic_any(Payload),
            "error:configuration" => return Err(PluginError::configuration("no")),
            "error:plugin" => return Err(PluginError::plugin("no")),
            "error:device" => return Err(PluginError { kind: ErrorKind::Device, message: "no".into() }),
            "error:cancelled" => return Err(PluginError { kind: ErrorKind::Cancelled, message: "no".into() }),
            "error:empty" => return Err(PluginError::data("")),
            "busy" => {
                tracing::warn!("hanging");
                loop {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    services.progress("busy", 1, None)?;
                }
            }
            "print" => println!("I write on standard output"),
            "exit:thread" => std::thread::spawn(|| std::process::exit(0)).join().unwrap_or(()),
            "hang" => hang(),
            "thread:overflow" => drop(std::thread::spawn(|| meet("overflow:thread", "thread")).join()),
            _ => tracing::warn!(files = 4, "a mirror is slow"),
        }
        services.progress("files", 1, Some(2))?;
        services.progress("files", 2, Some(2))?;
        Ok(())
    }

    fn card(&self) -> Result<Option<Card>> {
        meet(&self.fault, "dataset_card");
        Ok(None)
    }

    fn open(&self, _: Split) -> Result<Box<dyn Samples>> {
        meet(&self.fault, "open");
        Ok(Box::new(samples::Four { fault: self.fault.clone() }))
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        meet(&self.fault, "drop");
    }
}
