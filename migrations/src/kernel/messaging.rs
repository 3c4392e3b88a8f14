//! The tables of the messaging mechanism: outbox and how far it is settled,
//! inbox, and the dead letters with what waits behind them. Every order pays
//! for the outbox and the inbox, so they carry no index that nobody asks.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use super::rising;

#[derive(DeriveIden)]
enum Outbox {
    Table,
    Seq,
    Subject,
    Envelope,
}

#[derive(DeriveIden)]
enum OutboxRelay {
    Table,
    Id,
    Settled,
}

#[derive(DeriveIden)]
enum Inbox {
    Table,
    EventId,
    Handler,
    HandledAt,
}

#[derive(DeriveIden)]
enum DeadLetters {
    Table,
    Handler,
    Subject,
    EventId,
    EventType,
    Envelope,
    Error,
    Attempts,
    Waiting,
    FailedAt,
    RedriveRequested,
}

#[derive(DeriveIden)]
enum ParkedEvents {
    Table,
    Seq,
    Handler,
    Subject,
    EventId,
    Envelope,
}

/// Makes them.
pub(crate) async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    outbox(manager).await?;
    outbox_relay(manager).await?;
    inbox(manager).await?;
    dead_letters(manager).await?;
    parked_events(manager).await
}

/// The next number, drawn by a transaction that has its own id by then: whoever
/// finds a number missing can tell from the ids under way whether it may still
/// come. Postgres evaluates the argument before it draws.
const NUMBERED: &str = "nextval(CASE WHEN pg_current_xact_id() IS NULL THEN NULL \
     ELSE 'outbox_seq'::regclass END)";

async fn outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    let mut seq = rising(Outbox::Seq, backend);
    if backend == DbBackend::Postgres {
        let database = manager.get_connection();
        database
            .execute_unprepared("CREATE SEQUENCE outbox_seq")
            .await?;
        seq = ColumnDef::new(Outbox::Seq);
        seq.big_integer()
            .not_null()
            .primary_key()
            .default(Expr::cust(NUMBERED));
    }
    let table = Table::create()
        .table(Outbox::Table)
        .col(seq)
        .col(ColumnDef::new(Outbox::Subject).string().not_null())
        .col(ColumnDef::new(Outbox::Envelope).text().not_null())
        .to_owned();
    manager.create_table(table).await?;
    let index = Index::create()
        .name("outbox_subject")
        .table(Outbox::Table)
        .col(Outbox::Subject)
        .to_owned();
    manager.create_index(index).await
}

/// One row, there from the start, so that moving the watermark is one statement.
async fn outbox_relay(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(OutboxRelay::Table)
        .col(
            ColumnDef::new(OutboxRelay::Id)
                .big_integer()
                .not_null()
                .primary_key(),
        )
        .col(
            ColumnDef::new(OutboxRelay::Settled)
                .big_integer()
                .not_null(),
        )
        .to_owned();
    manager.create_table(table).await?;
    let row = Query::insert()
        .into_table(OutboxRelay::Table)
        .columns([OutboxRelay::Id, OutboxRelay::Settled])
        .values_panic([1_i64.into(), 0_i64.into()])
        .to_owned();
    manager.exec_stmt(row).await
}

/// Keyed by event first: ids of events rise with time, so rows are added at the
/// end, and age is a range of the key.
async fn inbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create()
        .table(Inbox::Table)
        .col(ColumnDef::new(Inbox::EventId).uuid().not_null())
        .col(ColumnDef::new(Inbox::Handler).string().not_null())
        .col(ColumnDef::new(Inbox::HandledAt).big_integer().not_null())
        .primary_key(
            Index::create()
                .name("inbox_key")
                .col(Inbox::EventId)
                .col(Inbox::Handler),
        )
        .to_owned();
    if manager.get_database_backend() == DbBackend::Sqlite {
        table.extra("WITHOUT ROWID");
    }
    manager.create_table(table).await
}

/// One row for each parked key of a handler: the event at its head.
async fn dead_letters(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(DeadLetters::Table)
        .col(ColumnDef::new(DeadLetters::Handler).string().not_null())
        .col(ColumnDef::new(DeadLetters::Subject).string().not_null())
        .col(ColumnDef::new(DeadLetters::EventId).uuid().not_null())
        .col(ColumnDef::new(DeadLetters::EventType).string().not_null())
        .col(ColumnDef::new(DeadLetters::Envelope).text().not_null())
        .col(ColumnDef::new(DeadLetters::Error).text().not_null())
        .col(
            ColumnDef::new(DeadLetters::Attempts)
                .big_integer()
                .not_null(),
        )
        .col(
            ColumnDef::new(DeadLetters::Waiting)
                .big_integer()
                .not_null(),
        )
        .col(
            ColumnDef::new(DeadLetters::FailedAt)
                .big_integer()
                .not_null(),
        )
        .col(
            ColumnDef::new(DeadLetters::RedriveRequested)
                .boolean()
                .not_null(),
        )
        .primary_key(
            Index::create()
                .name("dead_letters_key")
                .col(DeadLetters::Handler)
                .col(DeadLetters::Subject),
        )
        .to_owned();
    manager.create_table(table).await?;
    let newest = Index::create()
        .name("dead_letters_event")
        .table(DeadLetters::Table)
        .col(DeadLetters::EventId)
        .col(DeadLetters::Handler)
        .unique()
        .to_owned();
    manager.create_index(newest).await?;
    let requested = Index::create()
        .name("dead_letters_redrive_requested")
        .table(DeadLetters::Table)
        .col(DeadLetters::RedriveRequested)
        .to_owned();
    manager.create_index(requested).await
}

async fn parked_events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(ParkedEvents::Table)
        .col(rising(ParkedEvents::Seq, manager.get_database_backend()))
        .col(ColumnDef::new(ParkedEvents::Handler).string().not_null())
        .col(ColumnDef::new(ParkedEvents::Subject).string().not_null())
        .col(ColumnDef::new(ParkedEvents::EventId).uuid().not_null())
        .col(ColumnDef::new(ParkedEvents::Envelope).text().not_null())
        .to_owned();
    manager.create_table(table).await?;
    let index = Index::create()
        .name("parked_events_key")
        .table(ParkedEvents::Table)
        .col(ParkedEvents::Handler)
        .col(ParkedEvents::Subject)
        .to_owned();
    manager.create_index(index).await
}
