//! What a plan touches, and with which right.
//!
//! Every variant of DataFusion's `LogicalPlan` is named, so that a new one stops the build until someone says what it
//! touches. Extension nodes are ours; one that is not known here is refused, not treated as touching nothing.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode};

use crate::catalog::{PropertyDef, PropertySource};
use crate::error::PgError;
use crate::planner::bind::sql::ddl::{
    DdlCommand, ObjectChange, ObjectRef, TypeChange, TypeCommand,
};
use crate::planner::node::{
    Apply, ConflictLookup, EachRow, ElementChange, GraphAction, GraphAlgorithm, GraphFunction,
    GraphFunctionKind, GraphListing, GraphWrite, LoadCsv, LockRows, MatchPattern, PolicyCheck,
    RoutineCall, RowPolicy, Series, TableWrite, WithWrites, WriteKind,
};
use crate::planner::source::{RelationSource, ViewSource};
use crate::types::Oid;

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Read rows.
    Select,
    /// Read rows as elements of this graph.
    Match(Oid),
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows.
    Delete,
    /// Lock rows; who may change or remove them may.
    Lock,
    /// Empty the table.
    Truncate,
    /// Refer to it by a foreign key.
    References,
    /// Make objects in a schema.
    Create,
    /// Drop it; the owner of its schema may too.
    Drop,
    /// Change the object itself.
    Own,
}

/// The columns a right is needed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// These, by position, sorted. None at all still needs the right on some column (`SELECT count(*)`).
    Columns(Vec<usize>),
    /// The object as a whole.
    Whole,
}

/// Whose right it must be: the owner of the view an object is reached through; `None` is the caller.
pub type AsRole = Option<Oid>;

/// Everything a statement needs: for each object and right, and whose it must be, the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    objects: BTreeMap<(AsRole, Oid, Right), Need>,
    /// Whether files of the server are read.
    reads_files: bool,
    /// A function whose body is run statement by statement, and was not.
    calls: Option<String>,
}

impl Needs {
    /// Looks whether the session has run all that it runs: what a body touches, its own statements need.
    ///
    /// # Errors
    /// `0A000`
    pub(super) fn refuse_calls(&self) -> Result<(), PgError> {
        match &self.calls {
            None => Ok(()),
            Some(name) => Err(PgError::unsupported(
                format!("function {name} is run statement by statement, which it is not here"),
                "Call it by itself: SELECT f(…), SELECT * FROM f(…).",
            )),
        }
    }

    /// Adds a need of the caller, joined with what is there.
    pub fn add(&mut self, object: Oid, right: Right, need: Need) {
        self.add_as(None, object, right, need);
    }

    /// Adds a need, joined with what is there.
    pub fn add_as(&mut self, role: AsRole, object: Oid, right: Right, need: Need) {
        let slot = self.objects.entry((role, object, right)).or_insert(Need::Columns(Vec::new()));
        match (slot, need) {
            (Need::Columns(have), Need::Columns(more)) => {
                have.extend(more);
                have.sort_unstable();
                have.dedup();
            }
            (slot, Need::Whole) => *slot = Need::Whole,
            (Need::Whole, Need::Columns(_)) => {}
        }
    }

    /// Adds other needs.
    pub fn extend(&mut self, other: Self) {
        self.reads_files |= other.reads_files;
        self.calls = self.calls.take().or(other.calls);
        for ((role, object, right), need) in other.objects {
            self.add_as(role, object, right, need);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Oid, Right, &Need)> {
        self.objects.iter().map(|((_, object, right), need)| (*object, *right, need))
    }

    /// All of them, with whose right it must be.
    pub fn iter_as(&self) -> impl Iterator<Item = (AsRole, Oid, Right, &Need)> {
        self.objects.iter().map(|((role, object, right), need)| (*role, *object, *right, need))
    }

    /// Whether files of the server are read.
    pub fn reads_files(&self) -> bool {
        self.reads_files
    }

    /// Whether every object and right here is also in `other`.
    pub fn within(&self, other: &Self) -> bool {
        let known: BTreeSet<(Oid, Right)> =
            other.objects.keys().map(|(_, object, right)| (*object, *right)).collect();
        self.objects.keys().all(|(_, object, right)| known.contains(&(*object, *right)))
    }
}

/// Computes what a plan touches, subqueries included.
///
/// # Errors
/// `XX000` for a node whose targets cannot be determined.
pub fn require(plan: &LogicalPlan) -> Result<Needs, PgError> {
    let mut needs = Needs::default();
    require_as(plan, None, &mut needs)?;
    Ok(needs)
}

fn require_as(plan: &LogicalPlan, as_role: AsRole, needs: &mut Needs) -> Result<(), PgError> {
    plan.apply_with_subqueries(|node| {
        require_node(node, as_role, needs)?;
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                require_expression(expr, as_role, needs);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

fn require_node(node: &LogicalPlan, as_role: AsRole, needs: &mut Needs) -> Result<(), PgError> {
    match node {
        LogicalPlan::TableScan(scan) => {
            let source = scan.source.as_ref();
            if let Some(source) = source.downcast_ref::<RelationSource>() {
                let all = source.relation.columns().len();
                let mut columns: Vec<usize> = match &scan.projection {
                    Some(columns) => {
                        columns.iter().copied().filter(|column| *column < all).collect()
                    }
                    None => (0..all).collect(),
                };
                columns.sort_unstable();
                needs.add_as(
                    source.as_role,
                    source.relation.oid,
                    Right::Select,
                    Need::Columns(columns),
                );
            } else if let Some(view) = source.downcast_ref::<ViewSource>() {
                if view.relation.view().is_some() {
                    needs.add_as(view.as_role, view.relation.oid, Right::Select, Need::Whole);
                }
                require_as(&view.plan, view.inner_role(), needs)?;
            }
            // Anything else is a table function or a recursive query's work table: no stored object.
            Ok(())
        }
        LogicalPlan::Extension(extension) => {
            require_extension(extension.node.as_ref(), as_role, needs)
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => Ok(()),
        LogicalPlan::Statement(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_) => {
            Err(PgError::internal("a DataFusion statement reached the gate"))
        }
    }
}

fn require_extension(
    node: &dyn UserDefinedLogicalNode,
    as_role: AsRole,
    needs: &mut Needs,
) -> Result<(), PgError> {
    if let Some(write) = node.as_any().downcast_ref::<TableWrite>() {
        require_write(write, needs);
        return Ok(());
    }
    if let Some(call) = node.as_any().downcast_ref::<RoutineCall>() {
        needs.calls = Some(call.name.clone());
        return Ok(());
    }
    if let Some(RowPolicy { number: _, above: _, input: _ }) = node.as_any().downcast_ref() {
        return Ok(());
    }
    if let Some(check) = node.as_any().downcast_ref::<PolicyCheck>() {
        let PolicyCheck { table: _, tests: _, input: _, .. } = check;
        return Ok(());
    }
    if let Some(with) = node.as_any().downcast_ref::<WithWrites>() {
        // Its inputs say what they touch.
        let WithWrites { numbers: _, plans: _, sees_writes: _, rounds: _, .. } = with;
        return Ok(());
    }
    if let Some(lookup) = node.as_any().downcast_ref::<ConflictLookup>() {
        let ConflictLookup { relation, arbiters: _, reads, skips: _, input: _, .. } = lookup;
        if !reads.is_empty() {
            needs.add(relation.oid, Right::Select, Need::Columns(reads.clone()));
        }
        return Ok(());
    }
    if let Some(LockRows { tables, input: _, is_limited: _ }) = node.as_any().downcast_ref() {
        for table in tables {
            needs.add(table.relation.oid, Right::Lock, Need::Whole);
        }
        return Ok(());
    }
    if let Some(node) = node.as_any().downcast_ref::<MatchPattern>() {
        require_pattern(node, node.as_role.or(as_role), needs);
        return Ok(());
    }
    if let Some(write) = node.as_any().downcast_ref::<GraphWrite>() {
        require_graph_write(write, needs);
        return Ok(());
    }
    if node.as_any().is::<Apply>() {
        // Both its plans are inputs, which the walk reaches.
        return Ok(());
    }
    if node.as_any().is::<GraphAlgorithm>() {
        // It reads what its inputs give it, which the walk reaches.
        return Ok(());
    }
    if node.as_any().is::<LoadCsv>() {
        needs.reads_files = true;
        return Ok(());
    }
    if let Some(listing) = node.as_any().downcast_ref::<GraphListing>() {
        let graph = listing.graph.oid;
        needs.add_as(listing.as_role.or(as_role), graph, Right::Match(graph), Need::Whole);
        return Ok(());
    }
    if node.as_any().is::<Series>() {
        return Ok(());
    }
    Err(PgError::internal(format!("what node {} touches is not known", node.name())))
}

fn require_write(write: &TableWrite, needs: &mut Needs) {
    // What RETURNING and the like read of it is looked at column by column.
    needs.add_as(write.as_role, write.relation.oid, Right::Select, Need::Columns(Vec::new()));
    let mut add = |right, need: Need| {
        needs.add_as(write.as_role, write.relation.oid, right, need);
        if let Some((view, as_role)) = &write.view {
            needs.add_as(*as_role, view.oid, right, Need::Whole);
            if right != Right::Insert {
                needs.add_as(*as_role, view.oid, Right::Select, Need::Whole);
            }
        }
    };
    let inserted = || write.inserted.clone().map_or(Need::Whole, Need::Columns);
    match &write.kind {
        WriteKind::Insert => add(Right::Insert, inserted()),
        WriteKind::Update { assigned } => add(Right::Update, Need::Columns(assigned.clone())),
        WriteKind::Delete => add(Right::Delete, Need::Whole),
        WriteKind::Each(EachRow { on_conflict: _, inserts, assigned, deletes }) => {
            if *inserts {
                add(Right::Insert, inserted());
            }
            if !assigned.is_empty() {
                add(Right::Update, Need::Columns(assigned.clone()));
            }
            if *deletes {
                add(Right::Delete, Need::Whole);
            }
        }
    }
}

/// What a clause of Cypher writes: to an open graph as a whole, to the tables of a typed one.
fn require_graph_write(write: &GraphWrite, needs: &mut Needs) {
    let GraphWrite { graph, input: _, action, kept: _, checks: _, .. } = write;
    let (vertices, edges) = action.new_elements();
    let inserts = !vertices.is_empty() || !edges.is_empty();
    let (updates, deletes) = match action {
        GraphAction::Create { .. } | GraphAction::Merge { .. } => (false, false),
        GraphAction::Set { items: _ } => (true, false),
        GraphAction::Delete { targets: _, detach: _ } => (false, true),
    };
    needs.add(graph.oid, Right::Select, Need::Whole);
    if graph.open.is_some() {
        for (asked, right) in
            [(inserts, Right::Insert), (updates, Right::Update), (deletes, Right::Delete)]
        {
            if asked {
                needs.add(graph.oid, right, Need::Whole);
            }
        }
        return;
    }
    let rows = vertices.iter().filter_map(|vertex| vertex.row.as_ref());
    for row in rows.chain(edges.iter().flat_map(|edge| &edge.rows)) {
        needs.add(row.relation.oid, Right::Insert, Need::Whole);
    }
    for element in graph.elements() {
        if deletes {
            needs.add(element.relation, Right::Delete, Need::Whole);
        }
        let GraphAction::Set { items } = action else { continue };
        let mut columns = Vec::new();
        for item in items {
            match &item.change {
                ElementChange::Property(name, _) => {
                    columns.extend(element.property(name).and_then(own_column));
                }
                ElementChange::Dynamic(..) | ElementChange::Properties { .. } => {
                    columns.extend(element.properties().filter_map(own_column));
                }
                ElementChange::Labels { add: _, remove: _ } => {}
            }
        }
        if !columns.is_empty() {
            columns.sort_unstable();
            columns.dedup();
            needs.add(element.relation, Right::Update, Need::Columns(columns));
        }
    }
}

fn own_column(property: &PropertyDef) -> Option<usize> {
    match &property.source {
        PropertySource::Column(column) => Some(*column),
        PropertySource::Expression(_) | PropertySource::Open { .. } => None,
    }
}

/// A pattern reads the graph, and the keys of its elements' tables.
pub(super) fn require_pattern(node: &MatchPattern, as_role: AsRole, needs: &mut Needs) {
    let pattern = &node.pattern;
    needs.add_as(as_role, pattern.graph.oid, Right::Match(pattern.graph.oid), Need::Whole);
    // Rights on an open graph are on it as a whole: its partitions are the server's.
    if pattern.graph.open.is_some() {
        return;
    }
    let vertices = pattern.vertices.iter().flat_map(|vertex| &vertex.tables).filter_map(|table| {
        let table = pattern.graph.vertices.get(usize::from(*table))?;
        Some((table.relation, table.key.clone()))
    });
    let edges = pattern.edges.iter().flat_map(|edge| &edge.tables).filter_map(|table| {
        let table = pattern.graph.edges.get(usize::from(*table))?;
        let mut columns = table.element.key.clone();
        columns.extend(&table.source.edge_columns);
        columns.extend(&table.destination.edge_columns);
        Some((table.element.relation, columns))
    });
    for (relation, mut columns) in vertices.chain(edges) {
        columns.sort_unstable();
        columns.dedup();
        let right = Right::Match(pattern.graph.oid);
        needs.add_as(as_role, relation, right, Need::Columns(columns));
    }
}

/// Graph functions read columns of element tables.
pub(super) fn require_expression(expr: &Expr, as_role: AsRole, needs: &mut Needs) {
    let Expr::ScalarFunction(call) = expr else { return };
    let Some(function) = call.func.inner().downcast_ref::<GraphFunction>() else { return };
    if function.graph.open.is_some() {
        let graph = function.graph.oid;
        needs.add_as(as_role, graph, Right::Match(graph), Need::Whole);
        return;
    }
    for element in function.graph.elements() {
        let need = match &function.kind {
            GraphFunctionKind::Property { name, .. } => {
                match element.property(name).map(|property| &property.source) {
                    Some(PropertySource::Column(column)) => Need::Columns(vec![*column]),
                    Some(PropertySource::Expression(_) | PropertySource::Open { .. }) => {
                        Need::Whole
                    }
                    None => continue,
                }
            }
            GraphFunctionKind::Labels { .. }
            | GraphFunctionKind::HasLabel { .. }
            | GraphFunctionKind::EndPoint { .. }
            | GraphFunctionKind::Attach { .. }
            | GraphFunctionKind::OpenProperty { .. } => continue,
            GraphFunctionKind::ElementId { .. } | GraphFunctionKind::Number { .. } => {
                Need::Columns(element.key.clone())
            }
            GraphFunctionKind::Properties { .. }
            | GraphFunctionKind::PropertyMap { .. }
            | GraphFunctionKind::Keys { .. }
            | GraphFunctionKind::ElementJson { .. }
            | GraphFunctionKind::PathJson => Need::Whole,
        };
        needs.add_as(as_role, element.relation, Right::Match(function.graph.oid), need);
    }
}

/// What a change of the catalog touches.
pub fn require_ddl(command: &DdlCommand) -> Needs {
    let mut needs = Needs::default();
    match command {
        // Whoever changes roles and rights is asked while they are changed.
        DdlCommand::Roles(_)
        | DdlCommand::CreateSchema { name: _, if_not_exists: _, owner: _ }
        | DdlCommand::Skip { tag: _, notice: _ } => {}
        DdlCommand::DropSchema { schemas, cascade: _ } => {
            for schema in schemas {
                needs.add(*schema, Right::Own, Need::Whole);
            }
        }
        DdlCommand::CreateSequence { schema, name: _, persistence: _, options: _ } => {
            needs.add(*schema, Right::Create, Need::Whole);
        }
        DdlCommand::AlterSequence { relation, options } => {
            needs.add(relation.oid, Right::Own, Need::Whole);
            if let Some(Some(owner)) = options.owner {
                needs.add(owner.table, Right::Own, Need::Whole);
            }
        }
        // What its foreign keys refer to is looked at with the catalog beside it.
        DdlCommand::CreateTable(table) => needs.add(table.schema, Right::Create, Need::Whole),
        DdlCommand::AlterObject { object, change, tag: _ } => {
            needs.add(object.owned(), Right::Own, Need::Whole);
            match (change, object) {
                (ObjectChange::SetSchema(schema), _) => {
                    needs.add(*schema, Right::Create, Need::Whole);
                }
                // A new name is a new object to its schema.
                (
                    ObjectChange::Rename(_),
                    ObjectRef::Relation(relation) | ObjectRef::Index(relation, _),
                ) => needs.add(relation.schema, Right::Create, Need::Whole),
                _ => {}
            }
        }
        DdlCommand::CommentOn { owned, object: _, text: _ } => {
            needs.add(*owned, Right::Own, Need::Whole);
        }
        DdlCommand::CreateIndex(index) => {
            needs.add(index.relation.oid, Right::Own, Need::Whole);
            needs.add(index.relation.schema, Right::Create, Need::Whole);
        }
        DdlCommand::DropIndexes { indexes, missing: _, cascade: _ } => {
            for (table, _) in indexes {
                needs.add(table.oid, Right::Own, Need::Whole);
            }
        }
        DdlCommand::AlterTable { relation, steps: _ }
        | DdlCommand::Policy { relation, change: _ }
        | DdlCommand::RefreshView { relation, rows: _, concurrently: _ }
        | DdlCommand::AlterGraph { relation, graph: _ }
        | DdlCommand::LabelRule { relation, change: _ }
        | DdlCommand::Comment { relation, column: _, text: _ } => {
            needs.add(relation.oid, Right::Own, Need::Whole);
        }
        DdlCommand::DropRelations { relations, missing: _, cascade: _, kind: _ } => {
            for relation in relations {
                needs.add(relation.oid, Right::Drop, Need::Whole);
            }
        }
        DdlCommand::CreateView { schema, name: _, view: _, persistence: _, replaces } => {
            needs.add(*schema, Right::Create, Need::Whole);
            if let Some(replaces) = replaces {
                needs.add(*replaces, Right::Own, Need::Whole);
            }
        }
        // Whose function is replaced or dropped was asked when it was bound.
        DdlCommand::CreateFunction { function, replaces: _ } => {
            needs.add(function.schema, Right::Create, Need::Whole);
        }
        DdlCommand::GiveFunction { function: _, to: _ } => {}
        DdlCommand::DropFunctions { functions: _, missing: _, procedure: _ } => {}
        // Whose type is changed was asked when it was bound.
        DdlCommand::Type(command) => match command.as_ref() {
            TypeCommand::CreateEnum { schema, name: _, labels: _ }
            | TypeCommand::CreateRow { schema, name: _, fields: _ }
            | TypeCommand::CreateHstore { schema }
            | TypeCommand::CreateDomain { schema, domain: _ } => {
                needs.add(*schema, Right::Create, Need::Whole);
            }
            TypeCommand::Alter { ty: _, change: TypeChange::SetSchema(schema), tag: _ } => {
                needs.add(*schema, Right::Create, Need::Whole);
            }
            TypeCommand::Alter { ty: _, change: _, tag: _ }
            | TypeCommand::Drop { tag: _, types: _, missing: _, cascade: _ }
            | TypeCommand::Comment { ty: _, text: _ } => {}
        },
        DdlCommand::Truncate { relations, restart: _, cascade: _ } => {
            for relation in relations {
                needs.add(relation.oid, Right::Truncate, Need::Whole);
            }
        }
        DdlCommand::CreateGraph { schema, graph, replaces } => {
            needs.add(*schema, Right::Create, Need::Whole);
            for element in graph.elements() {
                needs.add(element.relation, Right::Select, Need::Whole);
            }
            if let Some(replaces) = replaces {
                needs.add(*replaces, Right::Own, Need::Whole);
            }
        }
    }
    needs
}
