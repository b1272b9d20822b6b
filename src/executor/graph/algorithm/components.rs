//! Connected components.

use super::progress::Progress;
use super::projection::{Lists, Orientation, Projection, check_every};
use crate::error::PgError;

/// Weakly connected components, numbered from 0 in the order of their first vertices: union by the lesser root.
pub(super) fn weak(graph: &Projection, progress: &Progress) -> Result<Vec<i64>, PgError> {
    let mut parents: Vec<u32> = (0..graph.len() as u32).collect();
    fn root(parents: &mut [u32], mut vertex: u32) -> u32 {
        while parents[vertex as usize] != vertex {
            let up = parents[parents[vertex as usize] as usize];
            parents[vertex as usize] = up;
            vertex = up;
        }
        vertex
    }
    for (at, (from, to, _)) in graph.edges.iter().enumerate() {
        check_every(progress, at as u32)?;
        let (one, other) = (root(&mut parents, *from), root(&mut parents, *to));
        parents[one.max(other) as usize] = one.min(other);
    }
    let roots: Vec<u32> =
        (0..graph.len() as u32).map(|vertex| root(&mut parents, vertex)).collect();
    Ok(numbered(&roots))
}

/// Groups numbered from 0 in the order of their first members.
pub(super) fn numbered(groups: &[u32]) -> Vec<i64> {
    let mut numbers = vec![-1; groups.len()];
    let mut next = 0;
    groups
        .iter()
        .map(|group| {
            let number = &mut numbers[*group as usize];
            if *number < 0 {
                (*number, next) = (next, next + 1);
            }
            *number
        })
        .collect()
}

/// A vertex whose edges are being followed.
struct Frame {
    vertex: u32,
    next: usize,
}

/// Strongly connected components, numbered from 0 in the order of their first vertices.
///
/// Source: Tarjan, "Depth-first search and linear graph algorithms", 1972, with an explicit stack.
pub(super) fn strong(graph: &Projection, progress: &Progress) -> Result<Vec<i64>, PgError> {
    let lists = graph.lists(Orientation::Natural);
    let mut state = Tarjan {
        lists: &lists,
        indexes: vec![u32::MAX; graph.len()],
        lows: vec![0; graph.len()],
        components: vec![u32::MAX; graph.len()],
        stack: Vec::new(),
        next: 0,
    };
    progress.expect(graph.len());
    for vertex in lists.vertices() {
        progress.step()?;
        if state.indexes[vertex as usize] == u32::MAX {
            state.search(vertex, progress)?;
        }
    }
    Ok(numbered(&state.components))
}

struct Tarjan<'a> {
    lists: &'a Lists,
    indexes: Vec<u32>,
    lows: Vec<u32>,
    /// A vertex of each vertex's component, once that is complete.
    components: Vec<u32>,
    stack: Vec<u32>,
    next: u32,
}

impl Tarjan<'_> {
    fn enter(&mut self, vertex: u32) -> Frame {
        self.indexes[vertex as usize] = self.next;
        self.lows[vertex as usize] = self.next;
        self.next += 1;
        self.stack.push(vertex);
        Frame { vertex, next: 0 }
    }

    fn search(&mut self, start: u32, progress: &Progress) -> Result<(), PgError> {
        let mut frames = vec![self.enter(start)];
        let mut steps = 0u32;
        while let Some(frame) = frames.last_mut() {
            steps = steps.wrapping_add(1);
            check_every(progress, steps)?;
            let vertex = frame.vertex as usize;
            if let Some(neighbor) = self.lists.neighbors(frame.vertex).get(frame.next).copied() {
                frame.next += 1;
                let at = neighbor as usize;
                if self.indexes[at] == u32::MAX {
                    let entered = self.enter(neighbor);
                    frames.push(entered);
                } else if self.components[at] == u32::MAX {
                    self.lows[vertex] = self.lows[vertex].min(self.indexes[at]);
                }
                continue;
            }
            let left = frame.vertex;
            frames.pop();
            if let Some(above) = frames.last() {
                let above = above.vertex as usize;
                self.lows[above] = self.lows[above].min(self.lows[vertex]);
            }
            if self.lows[vertex] == self.indexes[vertex] {
                while let Some(member) = self.stack.pop() {
                    self.components[member as usize] = left;
                    if member == left {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
