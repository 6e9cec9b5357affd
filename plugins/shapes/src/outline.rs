//! The ten shapes as closed polygons, and the signed distance to them.

use std::f32::consts::PI;

/// Class names in label order.
pub const CLASSES: [&str; 10] =
    ["disc", "ring", "square", "triangle", "star", "cross", "crescent", "heart", "arrow", "bars"];

type Point = [f32; 2];

struct Edge {
    start: Point,
    end: Point,
    step: Point,
    inverse_length_squared: f32,
}

/// A shape of area 1 around the origin; several contours combine by the even-odd rule.
pub struct Outline {
    edges: Vec<Edge>,
    /// Distance from the origin to the farthest vertex.
    pub reach: f32,
}

impl Outline {
    /// The shapes in label order.
    pub fn all() -> Vec<Self> {
        // The hole runs the other way round, so that its area is subtracted.
        let ring = vec![arc(1.0, 0.0, 2.0 * PI, 32), arc(0.62, 2.0 * PI, 0.0, 32)];
        let arrow = [[-1.0, -0.3], [0.1, -0.3], [0.1, -0.85], [1.0, 0.0], [0.1, 0.85], [0.1, 0.3], [-1.0, 0.3]];
        let bar = |y: f32| vec![[-1.0, y - 0.27], [1.0, y - 0.27], [1.0, y + 0.27], [-1.0, y + 0.27]];
        let shapes = [
            vec![arc(1.0, 0.0, 2.0 * PI, 32)],
            ring,
            vec![regular(4, 1.0)],
            vec![regular(3, 1.0)],
            vec![regular(5, 0.4)],
            vec![cross(0.3)],
            vec![crescent()],
            vec![heart()],
            vec![arrow.to_vec()],
            vec![bar(-0.6), bar(0.6)],
        ];
        shapes.into_iter().map(Self::new).collect()
    }

    /// Moves the vertices' centre of mass to the origin and scales the area to 1.
    fn new(contours: Vec<Vec<Point>>) -> Self {
        let count = contours.iter().map(Vec::len).sum::<usize>() as f32;
        let mean = |axis: usize| contours.iter().flatten().map(|point| point[axis]).sum::<f32>() / count;
        let (x, y) = (mean(0), mean(1));
        let scale = 1.0 / contours.iter().map(|contour| signed_area(contour)).sum::<f32>().abs().sqrt();

        let mut edges = Vec::new();
        let mut reach: f32 = 0.0;
        for contour in &contours {
            let moved: Vec<Point> = contour.iter().map(|p| [(p[0] - x) * scale, (p[1] - y) * scale]).collect();
            for (index, &start) in moved.iter().enumerate() {
                let end = moved[(index + 1) % moved.len()];
                let step = [end[0] - start[0], end[1] - start[1]];
                reach = reach.max(start[0].hypot(start[1]));
                let inverse_length_squared = 1.0 / (step[0] * step[0] + step[1] * step[1]);
                edges.push(Edge { start, end, step, inverse_length_squared });
            }
        }
        Self { edges, reach }
    }

    /// Distance from `point` to the outline, negative inside.
    pub fn distance(&self, point: Point) -> f32 {
        let mut nearest = f32::INFINITY;
        let mut inside = false;
        for Edge { start, end, step, inverse_length_squared } in &self.edges {
            let to = [point[0] - start[0], point[1] - start[1]];
            let along = ((to[0] * step[0] + to[1] * step[1]) * inverse_length_squared).clamp(0.0, 1.0);
            let away = [to[0] - step[0] * along, to[1] - step[1] * along];
            nearest = nearest.min(away[0] * away[0] + away[1] * away[1]);
            // A ray to the right crosses the edge when its ends lie on both sides of the ray's line.
            let crosses = (start[1] > point[1]) != (end[1] > point[1]);
            let left = (to[0] * step[1] < to[1] * step[0]) == (step[1] > 0.0);
            inside ^= crosses && left;
        }
        if inside { -nearest.sqrt() } else { nearest.sqrt() }
    }
}

/// Shoelace formula.
fn signed_area(contour: &[Point]) -> f32 {
    let twice: f32 = (0..contour.len())
        .map(|index| {
            let ([ax, ay], [bx, by]) = (contour[index], contour[(index + 1) % contour.len()]);
            ax * by - bx * ay
        })
        .sum();
    twice / 2.0
}

/// `count` points on a circle of radius `radius` around the origin, the end of the arc excluded.
fn arc(radius: f32, from: f32, to: f32, count: usize) -> Vec<Point> {
    let angle = |index: usize| from + (to - from) * index as f32 / count as f32;
    (0..count).map(|index| [radius * angle(index).cos(), radius * angle(index).sin()]).collect()
}

/// A regular polygon, or with `inner` below 1 a star: its `corners` tips and the notches between them.
fn regular(corners: usize, inner: f32) -> Vec<Point> {
    let count = if inner < 1.0 { 2 * corners } else { corners };
    let mut points = arc(1.0, -PI / 2.0, 1.5 * PI, count);
    if inner < 1.0 {
        points.iter_mut().skip(1).step_by(2).for_each(|point| *point = [point[0] * inner, point[1] * inner]);
    }
    points
}

/// A plus sign with arms of half-width `half`.
fn cross(half: f32) -> Vec<Point> {
    let arm = [[half, half], [half, 1.0], [-half, 1.0]];
    (0..4)
        .flat_map(|quarter| {
            arm.map(|[x, y]| match quarter {
                0 => [x, y],
                1 => [-y, x],
                2 => [-x, -y],
                _ => [y, -x],
            })
        })
        .collect()
}

/// The unit disc without a disc of radius 0.85 around (0.55, 0).
fn crescent() -> Vec<Point> {
    let (shift, radius) = (0.55_f32, 0.85_f32);
    let x = (1.0 - radius * radius + shift * shift) / (2.0 * shift);
    let tip = (1.0 - x * x).sqrt().atan2(x);
    let inner_tip = tip.sin().atan2(tip.cos() - shift);
    let mut points = arc(1.0, tip, 2.0 * PI - tip, 24);
    points.extend(arc(radius, 2.0 * PI - inner_tip, inner_tip, 16).into_iter().map(|[x, y]| [x + shift, y]));
    points
}

/// The common parametric heart: x = 16 sin³t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t.
fn heart() -> Vec<Point> {
    (0..32)
        .map(|index| {
            let t = 2.0 * PI * index as f32 / 32.0;
            let y = 13.0 * t.cos() - 5.0 * (2.0 * t).cos() - 2.0 * (3.0 * t).cos() - (4.0 * t).cos();
            [16.0 * t.sin().powi(3), -y]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of a fine grid that lies inside.
    fn measured_area(outline: &Outline) -> f32 {
        let (cells, side) = (400, 4.0);
        let at = |index: usize| (index as f32 + 0.5) * side / cells as f32 - side / 2.0;
        let inside = (0..cells * cells).filter(|i| outline.distance([at(i % cells), at(i / cells)]) < 0.0).count();
        inside as f32 * (side / cells as f32).powi(2)
    }

    #[test]
    fn every_shape_has_area_one() {
        for (outline, name) in Outline::all().iter().zip(CLASSES) {
            let area = measured_area(outline);
            assert!((area - 1.0).abs() < 0.01, "{name}: {area}");
        }
    }

    #[test]
    fn distance_to_the_square_is_that_of_its_sides() {
        // Area 1, a corner at the top: sides lie at |x| + |y| = 1/√2.
        let square = &Outline::all()[2];
        let half = 0.5_f32;
        assert!((square.distance([0.0, 0.0]) + half).abs() < 1e-5);
        let diagonal = |length: f32| [length / 2.0_f32.sqrt(), length / 2.0_f32.sqrt()];
        assert!((square.distance(diagonal(0.8)) - 0.3).abs() < 1e-5);
        assert!((square.distance(diagonal(0.2)) + 0.3).abs() < 1e-5);
        assert!((square.distance([1.0, 0.0]) - (1.0 - 0.5_f32.sqrt())).abs() < 1e-5);
    }

    #[test]
    fn the_ring_is_open_in_the_middle_and_the_bars_between_them() {
        let shapes = Outline::all();
        assert!(shapes[1].distance([0.0, 0.0]) > 0.0);
        assert!(shapes[9].distance([0.0, 0.0]) > 0.0);
        assert!(shapes[0].distance([0.0, 0.0]) < 0.0);
    }
}
