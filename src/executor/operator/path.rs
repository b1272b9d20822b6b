//! Path values: the vertices and edges along a pattern.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, SchemaRef, UInt64Type};
use datafusion::common::{HashMap, Result};
use datafusion::physical_expr::PhysicalExpr;
use futures::FutureExt;

use super::edge_list::edge_lists;
use super::expand::refs;
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use crate::catalog::EndPoint;
use crate::error::PgError;
use crate::executor::graph::GraphSnapshot;
use crate::planner::node::path_type;
use crate::storage::adjacency::EdgePlaces;
use crate::types::ElementRef;

/// A step of a path, by its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPart {
    /// A vertex.
    Vertex(usize),
    /// An edge.
    Edge(usize),
    /// The edges of a quantified edge, whose inner vertices are found from them.
    Edges(usize),
    /// The same, walked from its end to its start.
    EdgesReversed(usize),
    /// The steps of a repeated pattern: a list for each of its elements, vertices and edges in turn.
    Steps(Vec<usize>),
}

/// Adds a path column (`Struct{vertices, edges}`) made of other columns.
#[derive(Debug)]
pub struct PathBuild {
    /// The graph, for the ends of edges.
    pub graph: Arc<GraphSnapshot>,
    /// Position of the path's column in the output: the number of input columns.
    pub column: usize,
    /// In order, starting and ending with a vertex.
    pub parts: Vec<PathPart>,
}

impl GraphOperator for PathBuild {
    fn name(&self) -> &'static str {
        "PathExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            match part {
                PathPart::Vertex(column) => write!(f, "{comma}({})", names.of(*column))?,
                PathPart::Edge(column) => write!(f, "{comma}[{}]", names.of(*column))?,
                PathPart::Edges(column) => write!(f, "{comma}[{}*]", names.of(*column))?,
                PathPart::EdgesReversed(column) => {
                    write!(f, "{comma}[{}* reversed]", names.of(*column))?
                }
                PathPart::Steps(columns) => {
                    let names: Vec<_> = columns.iter().map(|column| names.of(*column)).collect();
                    write!(f, "{comma}({})*", names.join(" "))?
                }
            }
        }
        Ok(())
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let slicer: Box<dyn Slicer> = Box::new(PathSlicer {
            schema: context.schema,
            graph: Arc::clone(&self.graph),
            parts: self.parts.clone(),
            ends: HashMap::new(),
            input: None,
        });
        async move { Ok(slicer) }.boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        if !needed.contains(&self.column) {
            return Some(columns);
        }
        columns.extend(self.parts.iter().flat_map(|part| match part {
            PathPart::Vertex(column)
            | PathPart::Edge(column)
            | PathPart::Edges(column)
            | PathPart::EdgesReversed(column) => vec![*column],
            PathPart::Steps(columns) => columns.clone(),
        }));
        Some(columns)
    }
}

struct PathSlicer {
    schema: SchemaRef,
    graph: Arc<GraphSnapshot>,
    parts: Vec<PathPart>,
    ends: HashMap<u16, EdgePlaces>,
    input: Option<RecordBatch>,
}

impl PathSlicer {
    /// The end of an edge that is not `vertex`, or `vertex` again for a loop.
    fn other_end(&mut self, edge: ElementRef, vertex: u64) -> Result<u64> {
        let table = edge.table();
        let definition = self.graph.edge_table(table)?;
        let ends = match self.ends.get(&table) {
            Some(ends) => ends,
            None => {
                let ends = self.graph.edge_ends(table)?;
                self.ends.entry(table).or_insert(ends)
            }
        };
        let (from, to) = ends
            .ends(edge.position())
            .ok_or_else(|| PgError::internal("an edge of a path is not in its table"))?;
        let end = |point: &EndPoint, position: u32| {
            ElementRef::new(point.vertex as u16, u64::from(position)).0
        };
        let source = end(&definition.source, from);
        Ok(if source == vertex { end(&definition.destination, to) } else { source })
    }

    fn paths(&mut self, input: &RecordBatch) -> Result<ArrayRef> {
        let rows = input.num_rows();
        let (mut vertices, mut edges) = (Vec::new(), Vec::new());
        let (mut vertex_counts, mut edge_counts) = (Vec::new(), Vec::new());
        let parts = self.parts.clone();
        let (mut nodes, mut steps) = (Vec::new(), Vec::new());
        for row in 0..rows {
            nodes.clear();
            steps.clear();
            for part in &parts {
                self.add(input, row, part, &mut nodes, &mut steps)?;
            }
            vertex_counts.push(nodes.len());
            edge_counts.push(steps.len());
            vertices.append(&mut nodes);
            edges.append(&mut steps);
        }
        let DataType::Struct(fields) = path_type() else {
            return Err(PgError::internal("a path is a struct").into());
        };
        let arrays = vec![edge_lists(vertex_counts, vertices)?, edge_lists(edge_counts, edges)?];
        Ok(Arc::new(StructArray::try_new(fields, arrays, None)?))
    }

    fn add(
        &mut self,
        input: &RecordBatch,
        row: usize,
        part: &PathPart,
        vertices: &mut Vec<u64>,
        edges: &mut Vec<u64>,
    ) -> Result<()> {
        match part {
            // The last inner vertex of a quantified edge is the vertex after it.
            PathPart::Vertex(column) => {
                let vertex = refs(input, *column)?.value(row);
                if vertices.len() <= edges.len() {
                    vertices.push(vertex);
                }
            }
            PathPart::Edge(column) => edges.push(refs(input, *column)?.value(row)),
            PathPart::Edges(column) | PathPart::EdgesReversed(column) => {
                let mut walked = list_at(input, *column, row)?;
                if matches!(part, PathPart::EdgesReversed(_)) {
                    walked.reverse();
                }
                for edge in walked {
                    let from = vertices.last().copied().unwrap_or_default();
                    vertices.push(self.other_end(ElementRef(edge), from)?);
                    edges.push(edge);
                }
            }
            PathPart::Steps(columns) => {
                let lists = columns.iter().map(|column| list_at(input, *column, row));
                let lists = lists.collect::<Result<Vec<_>>>()?;
                for step in 0..lists.first().map_or(0, Vec::len) {
                    for (at, list) in lists.iter().enumerate().skip(1) {
                        let into = if at % 2 == 0 { &mut *vertices } else { &mut *edges };
                        into.extend(list.get(step));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The elements of a list.
fn list_at(input: &RecordBatch, column: usize, row: usize) -> Result<Vec<u64>> {
    let lists = input.column(column).as_list_opt::<i32>();
    let list = lists.map(|lists| lists.value(row));
    let list = list.as_ref().and_then(|it| it.as_primitive_opt::<UInt64Type>());
    Ok(list.ok_or_else(|| PgError::internal("a path needs lists of elements"))?.values().to_vec())
}

impl Slicer for PathSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.input = Some(input);
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(input) = self.input.take() else { return Ok(Progress::Done) };
        let mut columns = input.columns().to_vec();
        columns.push(self.paths(&input)?);
        let options = RecordBatchOptions::new().with_row_count(Some(input.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Progress::Batch(batch))
    }
}
