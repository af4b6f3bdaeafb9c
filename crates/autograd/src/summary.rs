//! What a tape or a trace has recorded, as a table and as a graph.
use crate::list::NOWHERE;
use crate::session;
use crate::tape::{GradientTape, PersistentGradientTape};
use slalom_array::{DType, Shape};
use std::collections::HashSet;
use std::fmt;
use std::fmt::Write as _;

/// The ops that a tape or a trace has recorded, in order. It prints as a table: the number of each op's first result, its
/// name, the numbers of its inputs (`-` for constants), shape and element type of its results, the bytes that these take,
/// and the bytes of arrays that the tape keeps alive for the op's gradient and not already for one above.
///
/// ```
/// use slalom_autograd::{GradientTape, Tensor};
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::zeros([2, 3], slalom_array::DType::F32)?);
/// let y = x.tanh()? * 2.0;
/// println!("{}", tape.summary());
/// assert_eq!(tape.summary().ops().collect::<Vec<_>>(), ["identity", "tanh", "multiply"]);
/// assert!(tape.summary().to_dot().starts_with("digraph"));
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Summary {
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    index: u32,
    op: &'static str,
    /// The nodes of the inputs; `None` for constants.
    inputs: Vec<Option<u32>>,
    results: Vec<(Shape, DType)>,
    /// Bytes of arrays that only this row and later ones hold.
    kept: usize,
}

impl Row {
    fn bytes(&self) -> usize {
        self.results.iter().map(|(shape, dtype)| shape.iter().product::<usize>() * dtype.size()).sum()
    }

    fn results(&self) -> String {
        let one = |(shape, dtype): &(Shape, DType)| format!("{dtype} {shape}");
        self.results.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

impl Summary {
    /// Of the nodes that the tape (or the trace) of `bit` wants.
    pub(crate) fn of(bit: u64) -> Summary {
        session::with(|session| {
            let mut seen = HashSet::new();
            let mut rows = Vec::new();
            let wanted = |index: &usize| session.list.nodes()[*index].mask & bit != 0;
            for index in (0..session.list.len()).filter(wanted) {
                let Some(recorded) = session.list.recorded(index) else { continue };
                let saved = recorded.inputs.iter().chain(recorded.outputs).filter_map(|o| o.tensor());
                let new = saved.map(|tensor| tensor.array.memory()).filter(|memory| seen.insert(*memory));
                rows.push(Row {
                    index: index as u32,
                    op: recorded.op.name(),
                    kept: new.map(|(_, bytes)| bytes).sum(),
                    inputs: recorded.inputs.iter().map(|i| (i.node != NOWHERE).then_some(i.node)).collect(),
                    results: recorded.outputs.iter().map(|o| (o.shape().clone(), o.dtype())).collect(),
                });
            }
            Summary { rows }
        })
    }

    /// The names of the ops.
    pub fn ops(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().map(|row| row.op)
    }

    /// How many bytes of arrays the tape keeps alive.
    pub fn kept_bytes(&self) -> usize {
        self.rows.iter().map(|row| row.kept).sum()
    }

    /// The graph in the language of Graphviz, to be drawn by `dot -Tsvg`: a box for each op with shape and type of its
    /// results, an arrow to each op that uses them.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph tape {\n    node [shape=box, fontname=monospace];\n");
        // Later results of an op are drawn as the op.
        let mut owners: Vec<u32> = Vec::new();
        for row in &self.rows {
            owners.resize(row.index as usize, u32::MAX);
            owners.resize(row.index as usize + row.results.len(), row.index);
            let _ =
                writeln!(dot, "    n{} [label=\"{} {}\\n{}\"];", row.index, row.index, row.op, row.results());
            for input in row.inputs.iter().flatten() {
                let owner = owners.get(*input as usize).copied().filter(|owner| *owner != u32::MAX);
                if let Some(owner) = owner {
                    let _ = writeln!(dot, "    n{owner} -> n{};", row.index);
                }
            }
        }
        dot.push_str("}\n");
        dot
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["node", "op", "inputs", "results", "bytes", "kept"].map(str::to_owned);
        let mut table = vec![head];
        for row in &self.rows {
            let input = |input: &Option<u32>| input.map_or("-".to_owned(), |index| index.to_string());
            let inputs = row.inputs.iter().map(input).collect::<Vec<_>>().join(" ");
            let bytes = row.bytes().to_string();
            table.push([
                row.index.to_string(),
                row.op.into(),
                inputs,
                row.results(),
                bytes,
                row.kept.to_string(),
            ]);
        }
        let width = |i: usize| table.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
        let w: [usize; 6] = std::array::from_fn(width);
        for [node, op, inputs, results, bytes, kept] in &table {
            let [a, b, c, d, e, g] = w;
            writeln!(f, "{node:>a$}  {op:<b$}  {inputs:<c$}  {results:<d$}  {bytes:>e$}  {kept:>g$}")?;
        }
        write!(f, "{} ops, {} bytes kept", self.rows.len(), self.kept_bytes())
    }
}

macro_rules! summaries {
    ($($Tape:ident),*) => {$(
        /// Looking at what was recorded.
        impl $Tape {
            /// The ops that the tape has recorded so far, to be printed or drawn.
            pub fn summary(&self) -> Summary {
                Summary::of(self.0.bit)
            }
        }
    )*};
}
summaries!(GradientTape, PersistentGradientTape);
