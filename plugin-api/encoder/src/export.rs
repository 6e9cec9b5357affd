/// Names what a plugin with encoders provides. Write it once, in the crate root.
///
/// ```no_run
/// use selfsame_encoder_api::layers::{Conv, Layers};
/// use selfsame_encoder_api::tch::Device;
/// use selfsame_encoder_api::{export_plugin, Encoder, EncoderCard, EncoderRequest, Result};
///
/// export_plugin! {
///     encoders: { "one-layer" => (card, create) },
/// }
///
/// fn card(name: &str) -> EncoderCard {
///     EncoderCard::new(name, "One convolution")
/// }
///
/// fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
///     let mut layers = Layers::on(device);
///     let conv = layers.conv2d("conv", Conv::new(request.channels as i64, 8, 3))?;
///     Ok(layers.encoder(8, move |x, _train| {
///         Ok(conv.forward(x)?.f_mean_dim([2, 3].as_slice(), false, None)?)
///     }))
/// }
/// ```
///
/// A block `datasets: { … }` as of [`selfsame_plugin_api::export_plugin!`] may stand before it. Names are plain string
/// literals; each function learns from its argument which name is asked for. The crate is a `cdylib`.
#[macro_export]
macro_rules! export_plugin {
    (
        $(datasets: { $($dataset:literal => ($dataset_card:expr, $create_dataset:expr)),* $(,)? } $(,)?)?
        encoders: { $($encoder:literal => ($encoder_card:expr, $create_encoder:expr)),* $(,)? } $(,)?
    ) => {
        $crate::selfsame_plugin_api::__export_plugin! {
            datasets: { $($($dataset => ($dataset_card, $create_dataset)),*)? }
            encoders: [$($encoder),*]
            libtorch: $crate::__private::LIBTORCH,
            functions: $crate::__private::encoder_functions(&[$($crate::__private::EncoderEntry {
                name: $encoder,
                card: $encoder_card,
                create: $create_encoder,
            }),*]),
        }
    };
}
