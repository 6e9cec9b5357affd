//! Whether an encoder learns, seen after a backward pass.

use crate::error::Error;
use selfsame_encoder_api::Encoder;
use selfsame_plugin_api::ErrorKind;

/// Parameters that a warning names.
const NAMED: usize = 5;

/// Checks that the encoder called `name` has received gradients. Looks at no value, so that it waits for no device.
///
/// # Errors
/// An encoder of which no parameter has a gradient: it would stay as it is.
pub fn ensure_received(name: &str, encoder: &dyn Encoder) -> Result<(), Error> {
    let mut parameters = encoder.parameters();
    // What the method keeps as it was at the start, and what the plugin says is not to learn.
    parameters.retain(|parameter| parameter.tensor.requires_grad() && !encoder.is_frozen(&parameter.name));
    let without: Vec<_> = parameters.iter().filter(|parameter| !parameter.tensor.grad().defined()).collect();
    if without.len() == parameters.len() {
        let reason = match parameters.len() {
            0 => "it has no parameters that are to learn".to_owned(),
            count => format!(
                "none of its {count} parameters received a gradient in the first step: `forward` returns a tensor that does \
                 not depend on what `parameters` returns (a detached tensor, or copies instead of handles)"
            ),
        };
        return Err(Error::Failed {
            kind: ErrorKind::Plugin,
            message: format!(
                "encoder `{name}` cannot learn: {reason}; correct its plugin (`selfsame plugins inspect {name}` shows which)"
            ),
        });
    }
    if !without.is_empty() {
        let named: Vec<_> = without.iter().take(NAMED).map(|parameter| parameter.name.as_str()).collect();
        let more = without.len().saturating_sub(NAMED);
        tracing::warn!(
            "encoder `{name}`: {} of {} parameters received no gradient in the first step and stay as they are: {}{}",
            without.len(),
            parameters.len(),
            named.join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() }
        );
    }
    Ok(())
}
