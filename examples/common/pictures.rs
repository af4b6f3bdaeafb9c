//! Pictures in SVG, which needs no fonts and opens in every browser.
use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;
use std::path::{Path, PathBuf};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Where a picture goes: a folder `out` in the current one.
pub(crate) fn path(name: &str) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all("out")?;
    Ok(Path::new("out").join(name))
}

/// A white drawing area.
pub(crate) fn canvas(path: &Path, size: (u32, u32)) -> Result<Area<'_>, Box<dyn Error>> {
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    Ok(area)
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    let margin = 0.05 * (high - low).max(1e-9);
    (low - margin, high + margin)
}

/// A line through `points`, counted from 1, on logarithmic axes.
pub(crate) fn line(
    area: &Area<'_>,
    title: &str,
    x: &str,
    y: &str,
    points: &[f64],
) -> Result<(), Box<dyn Error>> {
    let low = points.iter().copied().fold(f64::MAX, f64::min);
    let high = points.iter().copied().fold(f64::MIN, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(15)
        .x_label_area_size(40)
        .y_label_area_size(65)
        .build_cartesian_2d((1.0..points.len() as f64).log_scale(), (0.9 * low..1.1 * high).log_scale())?;
    let whole = |v: &f64| format!("{v:.0}");
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_label_formatter(&whole)
        .y_label_formatter(&whole)
        .light_line_style(TRANSPARENT)
        .draw()?;
    let line = points.iter().enumerate().map(|(i, &y)| ((i + 1) as f64, y));
    chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
    Ok(())
}

/// Points, and the diagonal on which they would lie if `y` equalled `x`.
pub(crate) fn scatter(
    area: &Area<'_>,
    title: &str,
    labels: (&str, &str),
    points: &[(f64, f64)],
) -> Result<(), Box<dyn Error>> {
    let (low, high) = range(points.iter().flat_map(|&(x, y)| [x, y]));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(15)
        .x_label_area_size(40)
        .y_label_area_size(55)
        .build_cartesian_2d(low..high, low..high)?;
    chart.configure_mesh().x_desc(labels.0).y_desc(labels.1).light_line_style(TRANSPARENT).draw()?;
    chart.draw_series(LineSeries::new([(low, low), (high, high)], BLACK.mix(0.5)))?;
    chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, BLUE.mix(0.5).filled())))?;
    Ok(())
}

/// A grey image of `side` by `side` pixels between 0 and 1, with a line of text above it.
pub(crate) fn image(
    area: &Area<'_>,
    pixels: &[f64],
    side: usize,
    text: &str,
    right: bool,
) -> Result<(), Box<dyn Error>> {
    let color = if right { BLACK } else { RED };
    let cell = 10;
    area.draw(&Text::new(text.to_owned(), (4, 6), ("sans-serif", 16).into_font().color(&color)))?;
    for (i, &pixel) in pixels.iter().enumerate() {
        let (x, y) = ((i % side * cell) as i32 + 4, (i / side * cell) as i32 + 28);
        let grey = (255.0 * (1.0 - pixel)) as u8;
        let square = [(x, y), (x + cell as i32, y + cell as i32)];
        area.draw(&Rectangle::new(square, RGBColor(grey, grey, grey).filled()))?;
    }
    Ok(())
}
