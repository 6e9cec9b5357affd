/// Names what a plugin with encoders provides. Write it once, in the crate root.
///
/// ```ignore
/// selfsame_encoder_api::export_plugin! {
///     encoders: {
///         // fn encoder_card(name: &str) -> EncoderCard
///         // fn build(request: &EncoderRequest, device: tch::Device) -> Result<Box<dyn Encoder>>
///         "resnet18" => (encoder_card, build),
///     },
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
