//! What the examples share: progress and pictures.
#![allow(dead_code, reason = "each example uses a part")]
pub(crate) mod pictures;
pub(crate) mod progress;

/// A column of numbers, as `f64`.
pub(crate) type Column = Vec<f64>;

/// A table of comma-separated numbers with a header line: the names, and the columns.
pub(crate) fn read_csv(text: &str) -> Result<(Vec<String>, Vec<Column>), Box<dyn std::error::Error>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut columns = vec![Column::new(); names.len()];
    for record in reader.records() {
        for (column, field) in columns.iter_mut().zip(record?.iter()) {
            column.push(field.parse()?);
        }
    }
    Ok((names, columns))
}
