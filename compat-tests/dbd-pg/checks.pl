#!/usr/bin/perl
# DBD::Pg: placeholders, types, prepared statements, COPY, the catalog methods of DBI, errors, notices, transactions.
use strict;
use warnings;
use utf8;
use DBI qw(:sql_types);
use DBD::Pg qw(:pg_types);
use Data::Dumper;
binmode STDOUT, ':utf8';

my $schema = 'compat_dbd';
my @checks;
sub check { push @checks, [@_] }
local $Data::Dumper::Indent = 0;
local $Data::Dumper::Terse = 1;
local $Data::Dumper::Sortkeys = 1;
sub equal {
    my ($got, $expected, $what) = @_;
    my ($g, $e) = map { Dumper(ref $_ ? $_ : defined $_ ? "$_" : undef) } $got, $expected;
    die(($what ? "$what: " : '') . "got $g, expected $e\n") unless $g eq $e;
}
sub open_one {
    my $dbh = DBI->connect("dbi:Pg:dbname=$ENV{PGDATABASE};host=$ENV{PGHOST};port=$ENV{PGPORT}", $ENV{PGUSER}, $ENV{PGPASSWORD} // '',
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, PrintWarn => 0 });
    $dbh->do("SET search_path = $schema");
    return $dbh;
}
sub fails {
    my ($state, $dbh, $do) = @_;
    eval { $do->(); 1 } and die "no error, expected $state\n";
    equal($dbh->state, $state);
}

check 'version and ping', sub {
    my $dbh = shift;
    equal(int($dbh->{pg_server_version} / 10000), 15);
    equal($dbh->ping > 0 ? 1 : 0, 1);
    equal($dbh->{pg_standard_conforming_strings}, 'on');
};
check 'placeholders and types', sub {
    my $dbh = shift;
    my @row = $dbh->selectrow_array('SELECT ?::int4 + 1, ?::text, ?::numeric(6,2), ?::date, ?::bool, ?::float8', undef, 5, "it's ☃", '1.5', '2024-02-29', 't', 0.1);
    equal(\@row, [6, "it's ☃", '1.50', '2024-02-29', 1, '0.1']);
    my $sth = $dbh->prepare('SELECT $2::int - $1::int');
    $sth->execute(1, 10);
    equal($sth->fetchrow_array, 9);
    $sth = $dbh->prepare('SELECT :a::text || :b || :a');
    $sth->bind_param(':a', 'x');
    $sth->bind_param(':b', 'y');
    $sth->execute;
    equal($sth->fetchrow_array, 'xyx');
    $sth = $dbh->prepare('SELECT ?::bytea');
    $sth->bind_param(1, "\0\xff'\\", { pg_type => PG_BYTEA });
    $sth->execute;
    equal(unpack('H*', $sth->fetchrow_array), '00ff275c');
    my ($array) = $dbh->selectrow_array('SELECT ?::text[]', undef, ['a b', undef, '"']);
    equal($array, ['a b', undef, '"']);
    equal(scalar $dbh->selectrow_array("SELECT '{{1,2},{3,4}}'::text"), '{{1,2},{3,4}}');
};
check 'a table and what DBI asks of it', sub {
    my $dbh = shift;
    $dbh->do('CREATE TABLE parent (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE)');
    $dbh->do('CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, amount numeric(10,2) DEFAULT 1, at timestamp(3))');
    $dbh->do("COMMENT ON COLUMN parent.name IS 'of it'");
    equal($dbh->do('INSERT INTO parent (name) VALUES (?), (?)', undef, 'a', 'b'), 2);
    equal($dbh->last_insert_id(undef, $schema, 'parent', undef), 2);
    equal([map { $_->[2] } @{ $dbh->table_info(undef, $schema, '%', 'TABLE')->fetchall_arrayref }], ['child', 'parent']);
    my $columns = $dbh->column_info(undef, $schema, 'child', '%')->fetchall_arrayref({});
    equal([map { [$_->{COLUMN_NAME}, $_->{TYPE_NAME}, $_->{COLUMN_SIZE}, $_->{NULLABLE}] } @$columns],
        [['id', 'integer', 4, 0], ['parent', 'integer', 4, 1], ['amount', 'numeric', '2,10', 1], ['at', 'timestamp without time zone', 8, 1]]);
    equal([$dbh->primary_key(undef, $schema, 'child')], ['id']);
    my $keys = $dbh->foreign_key_info(undef, $schema, 'parent', undef, $schema, 'child')->fetchall_arrayref({});
    equal([map { [$_->{UK_COLUMN_NAME}, $_->{FK_COLUMN_NAME}] } @$keys], [['id', 'parent']]);
    my $statistics = $dbh->statistics_info(undef, $schema, 'parent', 1, 1)->fetchall_arrayref({});
    equal([sort map { $_->{INDEX_NAME} // '' } @$statistics], ['parent_name_key', 'parent_pkey']);
    equal(scalar(grep { $_ eq "\"$schema\".\"parent\"" || $_ eq "$schema.parent" } $dbh->tables(undef, $schema, '%', 'TABLE')), 1);
};
check 'prepared statements and their columns', sub {
    my $dbh = shift;
    my $sth = $dbh->prepare('INSERT INTO child (id, parent, amount) VALUES (?, ?, ?) RETURNING id, amount');
    for my $n (1 .. 20) { $sth->execute($n, 1 + $n % 2, $n / 4); equal([$sth->fetchrow_array], [$n, sprintf '%.2f', $n / 4]) }
    $sth = $dbh->prepare('SELECT id, parent, amount, at FROM child WHERE id = ?');
    $sth->execute(3);
    equal($sth->{NAME}, ['id', 'parent', 'amount', 'at']);
    equal($sth->{TYPE}, [SQL_INTEGER, SQL_INTEGER, SQL_NUMERIC, 0 + $sth->{TYPE}[3]]);
    equal([$sth->{PRECISION}[2], $sth->{SCALE}[2]], [10, 2]);
    equal($sth->fetchrow_hashref->{amount}, '0.75');
    equal($sth->rows, 1);
    my $n = $dbh->prepare('UPDATE child SET amount = amount + ? WHERE parent = ?')->execute_array({ ArrayTupleStatus => \my @status }, [1, 2], [1, 2]);
    equal($n, 2);
    equal($dbh->selectall_hashref('SELECT id, parent FROM child WHERE id < 3', 'id'), { 1 => { id => 1, parent => 2 }, 2 => { id => 2, parent => 1 } });
};
check 'COPY both ways', sub {
    my $dbh = shift;
    $dbh->do('CREATE TABLE copied (a int, b text)');
    $dbh->do('COPY copied FROM STDIN');
    $dbh->pg_putcopydata("$_\trow $_\n") for 1 .. 1000;
    $dbh->pg_putcopyend;
    $dbh->do('COPY (SELECT * FROM copied WHERE a < 4 ORDER BY a) TO STDOUT');
    my ($line, @lines);
    push @lines, $line while $dbh->pg_getcopydata($line) >= 0;
    equal(\@lines, ["1\trow 1\n", "2\trow 2\n", "3\trow 3\n"]);
};
check 'errors', sub {
    my $dbh = shift;
    fails('23505', $dbh, sub { $dbh->do("INSERT INTO parent (name) VALUES ('a')") });
    equal($dbh->pg_error_field('constraint'), 'parent_name_key');
    fails('23503', $dbh, sub { $dbh->do('INSERT INTO child VALUES (99, 99)') });
    fails('42P01', $dbh, sub { $dbh->do('SELECT * FROM nowhere') });
    fails('42601', $dbh, sub { $dbh->do('SELEC 1') });
    fails('22P02', $dbh, sub { $dbh->selectrow_array('SELECT ?::int', undef, 'x') });
};
check 'transactions and savepoints', sub {
    my $dbh = shift;
    $dbh->do('CREATE TABLE tx (x int)');
    $dbh->begin_work;
    $dbh->do('INSERT INTO tx VALUES (1)');
    $dbh->pg_savepoint('one');
    $dbh->do('INSERT INTO tx VALUES (2)');
    $dbh->pg_rollback_to('one');
    $dbh->pg_release('one');
    $dbh->commit;
    $dbh->begin_work;
    $dbh->do('INSERT INTO tx VALUES (3)');
    $dbh->rollback;
    equal($dbh->selectcol_arrayref('SELECT x FROM tx ORDER BY x'), [1]);
    equal($dbh->ping, 1);
};
check 'notices and notifications', sub {
    my $dbh = shift;
    my @warnings;
    local $SIG{__WARN__} = sub { push @warnings, @_ };
    $dbh->{PrintWarn} = 1;
    $dbh->do('DROP TABLE IF EXISTS never_was');
    equal(scalar(@warnings), 1);
    $dbh->do('LISTEN told');
    my $other = open_one();
    $other->do("NOTIFY told, 'hello'");
    my ($notify, $tries) = (undef, 0);
    while (!$notify && $tries++ < 50) { $notify = $dbh->pg_notifies; select undef, undef, undef, 0.1 unless $notify }
    equal([$notify->[0], $notify->[2]], ['told', 'hello']);
    $other->disconnect;
};
check 'asynchronous queries and cancel', sub {
    my $dbh = shift;
    $dbh->do('SELECT pg_sleep(0.2)', { pg_async => PG_ASYNC });
    equal($dbh->pg_ready ? 1 : 0, 0);
    equal($dbh->pg_result, 1);
    $dbh->do('SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b', { pg_async => PG_ASYNC });
    equal($dbh->pg_cancel, 1);
    equal($dbh->selectrow_array('SELECT 1'), 1);
};

my $setup = open_one();
$setup->{PrintWarn} = 0;
$setup->do("DROP SCHEMA IF EXISTS $schema CASCADE");
$setup->do("CREATE SCHEMA $schema");
$setup->disconnect;
my ($passed, $failed) = (0, 0);
for my $one (@checks) {
    my ($name, $body) = @$one;
    next if $ENV{COMPAT_ONLY} && index($name, $ENV{COMPAT_ONLY}) < 0;
    my $dbh = open_one();
    if (eval { local $SIG{ALRM} = sub { die "no answer in time\n" }; alarm($ENV{COMPAT_SECONDS_MAX} // 60); $body->($dbh); alarm 0; 1 }) {
        print "ok       $name\n";
        $passed++;
    } else {
        (my $error = "$@") =~ s/\s*\n\s*/ | /g;
        print "FAILED   $name: $error\n";
        $failed++;
    }
    alarm 0;
    eval { $dbh->disconnect };
}
print "$passed passed, $failed failed, 0 skipped\n";
exit($failed || !$passed ? 1 : 0);
