//! A frame as a viewer shows it.

use crate::codec::{Colours, Stored, Values};
use crate::guard::caught;
use crate::layout::Layout;
use crate::opened::Opened;
use crate::options::{Color, Look, RenderOptions, Voi};
use crate::presentation::{Interest, Presentation, Window};
use crate::voi;
use selfsame_plugin_api::Image;

/// Reads, decodes and renders one frame of a file, `[channels, rows, columns]`.
///
/// # Errors
/// Why the frame cannot be shown, without the file's name.
pub fn frame(file: &Opened, frame: u32, look: &Look) -> Result<Image, String> {
    caught(|| {
        let (layout, shown, stored) = file.stored(frame, look.voi())?;
        match &look.windows[..] {
            [] => Ok(image(stored, &layout, &shown, look.pixels)),
            windows => through(windows, &stored, &layout, &shown, look.pixels.bit_depth),
        }
    })
}

/// A grey frame through each of these windows, each a channel, whatever windows the file has.
fn through(
    windows: &[Window],
    stored: &Stored,
    layout: &Layout,
    shown: &Presentation,
    bit_depth: u8,
) -> Result<Image, String> {
    if !layout.photometric.is_grey() {
        return Err("has colours, which dataset.options.windows says nothing about".into());
    }
    let look = RenderOptions { voi: Voi::Window, color: Color::Grey, bit_depth };
    let mut data = Vec::new();
    for &window in windows {
        let shown = Presentation { interest: Some(Interest::Window(window)), ..shown.clone() };
        data.extend(image(stored.clone(), layout, &shown, look).data);
    }
    Ok(Image { channels: windows.len(), height: layout.rows, width: layout.columns, bit_depth, data })
}

/// Renders stored samples, planar `[channels, rows, columns]`.
pub fn image(stored: Stored, layout: &Layout, shown: &Presentation, look: RenderOptions) -> Image {
    let ceiling = if look.bit_depth == 8 { u16::from(u8::MAX) } else { u16::MAX };
    let colours = match (&shown.palette, layout.samples) {
        (Some(luts), 1) => Some(luts.each_ref().map(|lut| {
            let scale = f64::from(ceiling) / lut.ceiling();
            let level = |&value: &i32| (f64::from(lut.get(value.into())) * scale).round() as u16;
            stored.values.wide().iter().map(level).collect()
        })),
        (_, 3) => Some(rgb(&stored, layout, ceiling)),
        _ => None,
    };
    let data = match (colours, look.bit_depth) {
        (Some(planes), 8) => mixed(planes, look.color).into_iter().map(|level| level as u8).collect(),
        (Some(planes), _) => mixed(planes, look.color).into_iter().flat_map(u16::to_le_bytes).collect(),
        (None, 8) => grey(stored.values, layout, shown, look.voi, ceiling, |level| level as u8),
        (None, _) => grey(stored.values, layout, shown, look.voi, ceiling, u16::to_le_bytes).into_flattened(),
    };
    let is_repeated = layout.samples == 1 && shown.palette.is_none() && look.color == Color::Rgb;
    let data = if is_repeated { data.repeat(3) } else { data };
    let (height, width) = (layout.rows, layout.columns);
    let channels = if look.color == Color::Rgb { 3 } else { 1 };
    Image { channels, height, width, bit_depth: look.bit_depth, data }
}

fn grey<L: Copy>(
    stored: Values,
    layout: &Layout,
    shown: &Presentation,
    voi: Voi,
    ceiling: u16,
    place: fn(u16) -> L,
) -> Vec<L> {
    match stored {
        Values::Bytes(bytes) => voi::monochrome(bytes, layout, shown, voi, ceiling, place),
        Values::Wide(values) => voi::monochrome(values, layout, shown, voi, ceiling, place),
    }
}

/// Three planes after each other, or their luminance.
fn mixed(planes: [Vec<u16>; 3], color: Color) -> Vec<u16> {
    if color == Color::Rgb {
        return planes.concat();
    }
    let [red, green, blue] = planes;
    red.iter().zip(&green).zip(&blue).map(|((&red, &green), &blue)| luminance(red, green, blue)).collect()
}

/// Luminance by ITU-R BT.601, in fixed point as Pillow's conversion to `L` has it.
fn luminance(red: u16, green: u16, blue: u16) -> u16 {
    let sum = 19_595 * u64::from(red) + 38_470 * u64::from(green) + 7_471 * u64::from(blue);
    ((sum + 0x8000) >> 16) as u16
}

/// Red, green and blue from 0 to `ceiling`.
fn rgb(stored: &Stored, layout: &Layout, ceiling: u16) -> [Vec<u16>; 3] {
    let largest = ((1u64 << layout.stored) - 1) as f64;
    let scale = f64::from(ceiling) / largest;
    let level = |value: f64| (value.clamp(0.0, largest).round() * scale).round() as u16;
    let mut planes = [(); 3].map(|()| Vec::with_capacity(layout.rows * layout.columns));
    for pixel in stored.values.wide().chunks_exact(3) {
        let [first, second, third] = [pixel[0], pixel[1], pixel[2]].map(f64::from);
        let colour = match stored.colours {
            Colours::Rgb => [first, second, third],
            // PS3.3 §C.7.6.3.1.2, solved for red, green and blue.
            Colours::YbrFull => {
                let middle = ((1u64 << (layout.stored - 1)) as f64, second, third);
                let (blue, red) = (middle.1 - middle.0, middle.2 - middle.0);
                [first + 1.402 * red, first - 0.344_136 * blue - 0.714_136 * red, first + 1.772 * blue]
            }
        };
        for (plane, value) in planes.iter_mut().zip(colour) {
            plane.push(level(value));
        }
    }
    planes
}
