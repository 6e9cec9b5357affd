//! Curves over steps as inline SVG.

use plotters::prelude::*;
use std::ops::Range;

/// The colours of a chart's lines, in order (Okabe & Ito 2008, distinguishable by colour-blind readers).
pub(super) const COLORS: [(u8, u8, u8); 8] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (0, 0, 0),
    (128, 128, 128),
];

/// One line: its name and its points (step, value). Values that are not finite are gaps.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// Points of a line above which it is drawn faintly, with its moving average over it.
const SMOOTHED_FROM: usize = 40;

/// Draws lines over a common step axis, long ones with their moving average; none when there is no finite point. At most as many lines as [`COLORS`].
pub(super) fn svg(series: &[Series]) -> Option<String> {
    let finite = || series.iter().flat_map(|s| &s.points).filter(|(_, y)| y.is_finite());
    let x_max = finite().map(|p| p.0).max_by(f64::total_cmp)?.max(1.0);
    let low = finite().map(|p| p.1).min_by(f64::total_cmp)?;
    let high = finite().map(|p| p.1).max_by(f64::total_cmp)?;
    let margin = if high > low { 0.06 * (high - low) } else { 0.05 * high.abs().max(1e-3) };
    // Quantities that cannot be negative do not get a negative axis.
    let bottom = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
    let mut out = String::new();
    draw(&mut out, series, x_max, bottom..high + margin).ok()?;
    Some(out)
}

/// Draws lines in the square from (0, 0) to (1, 1); none when there is no finite point.
pub(super) fn unit_square(series: &[Series]) -> Option<String> {
    let mut finite = series.iter().flat_map(|s| &s.points).filter(|(x, y)| x.is_finite() && y.is_finite());
    finite.next()?;
    let mut out = String::new();
    draw_shares(&mut out, series).ok()?;
    Some(out)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(out: &mut String, series: &[Series], x_max: f64, y: Range<f64>) -> Drawn {
    let digits = decimals(y.end - y.start);
    // Few epochs have ticks between them.
    let x_digits = usize::from(x_max < 6.0);
    let mut lines: Vec<Line> = Vec::new();
    for (series, color) in series.iter().zip(COLORS) {
        match series.points.len() > SMOOTHED_FROM {
            true => lines.extend([(series.points.clone(), color, 0.3), (smoothed(&series.points), color, 1.0)]),
            false => lines.push((series.points.clone(), color, 1.0)),
        }
    }
    draw_with(out, &lines, (0.0..x_max, y), &|x| format!("{x:.x_digits$}"), &|y| format!("{y:.digits$}"))
}

fn draw_shares(out: &mut String, series: &[Series]) -> Drawn {
    let percent = |share: &f64| format!("{:.0} %", 100.0 * share);
    let lines: Vec<Line> =
        series.iter().zip(COLORS).map(|(series, color)| (series.points.clone(), color, 1.0)).collect();
    draw_with(out, &lines, (0.0..1.0, 0.0..1.02), &percent, &percent)
}

/// Points, their colour, and how opaque they are.
type Line = (Vec<(f64, f64)>, (u8, u8, u8), f64);

/// The exponential moving average over about a thirtieth of the points, each weighted by what has been seen so far; gaps stay.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = (1.0 - 2.0 / (points.len() as f64 / 30.0 + 1.0)).max(0.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let average = points.iter().map(|&(x, y)| {
        if !y.is_finite() {
            return (x, y);
        }
        (sum, weight) = (keep * sum + y, keep * weight + 1.0);
        (x, sum / weight)
    });
    average.collect()
}

fn draw_with(
    out: &mut String,
    lines: &[Line],
    (x, y): (Range<f64>, Range<f64>),
    x_label: &dyn Fn(&f64) -> String,
    y_label: &dyn Fn(&f64) -> String,
) -> Drawn {
    let root = SVGBackend::with_string(out, (520, 260)).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .margin_right(24)
        .x_label_area_size(28)
        .y_label_area_size(58)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_style(BLACK.mix(0.4))
        .label_style(("sans-serif", 13, &BLACK.mix(0.75)))
        .x_labels(6)
        .y_labels(5)
        .x_label_formatter(&x_label)
        .y_label_formatter(&y_label)
        .draw()?;
    for (points, (r, g, b), opacity) in lines {
        let color = RGBColor(*r, *g, *b).mix(*opacity);
        for run in points.split(|(_, y)| !y.is_finite()) {
            let dot = if points.len() <= SMOOTHED_FROM { 2 } else { 0 };
            let line = LineSeries::new(run.iter().copied(), color.stroke_width(2)).point_size(dot);
            chart.draw_series(line)?;
        }
    }
    root.present()?;
    Ok(())
}

/// Digits after the point that tell an axis's labels apart.
fn decimals(range: f64) -> usize {
    (1.0 - range.log10().floor()).clamp(0.0, 8.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(points: &[(f64, f64)]) -> Option<String> {
        svg(&[Series { name: "loss".into(), points: points.to_vec() }])
    }

    #[test]
    fn a_curve_has_a_line_for_each_stretch_without_gaps() {
        let line_count = |points: &[(f64, f64)]| {
            let drawing = one(points).unwrap();
            drawing.lines().filter(|line| line.contains("<polyline") && line.contains("#0072B2")).count()
        };
        assert_eq!(line_count(&[(1.0, 2.0), (2.0, 1.5), (3.0, 1.0)]), 1);
        assert_eq!(line_count(&[(1.0, 2.0), (2.0, 1.5), (3.0, f64::NAN), (4.0, 1.0), (5.0, 0.5)]), 2);
    }

    #[test]
    fn a_long_curve_has_its_moving_average_over_it() {
        let noisy: Vec<_> = (0..300).map(|step| (f64::from(step), f64::from(step % 2))).collect();
        let average = smoothed(&noisy);
        assert_eq!(average[0], (0.0, 0.0));
        assert!(average[100..].iter().all(|(_, y)| (y - 0.5).abs() < 0.11), "{average:?}");
        assert!(smoothed(&[(0.0, 2.0), (1.0, f64::NAN), (2.0, 2.0)])[1].1.is_nan());
        let lines = |drawing: String| {
            drawing.lines().filter(|line| line.contains("<polyline") && line.contains("#0072B2")).count()
        };
        assert_eq!((lines(one(&noisy).unwrap()), lines(one(&noisy[..30]).unwrap())), (2, 1));
    }

    #[test]
    fn odd_data_still_draws_or_is_left_out() {
        assert!(one(&[]).is_none());
        assert!(one(&[(1.0, f64::NAN)]).is_none());
        for points in [vec![(0.0, 0.0)], vec![(1.0, 3.0), (2.0, 3.0)], vec![(1.0, 1e300), (2.0, -1e300)]] {
            assert!(one(&points).unwrap().starts_with("<svg"));
        }
    }
}
