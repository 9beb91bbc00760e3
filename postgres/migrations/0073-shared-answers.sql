-- Identical requests of a batch's items that are answered once. A question is such a request: the message that asked it first makes the call, which
-- is an ordinary call of that message; the others take the answer that is recorded there. Nothing of what was asked stands here, only its digest.
create table millrace.batch_questions (
  batch_id       uuid not null references millrace.batches (id) on delete cascade,
  fingerprint    text not null,              -- of the whole request, and of whom it is shared among
  message_id     uuid not null,              -- the message that makes the call
  step           text not null,              -- with ordinal and digest, the place of that call among the message's
  ordinal        int not null,
  request_digest text not null,
  leaders        int not null default 1,     -- messages that were to make the call: those before the last ended without an answer
  asks           int not null default 0,     -- rises whenever somebody is told to make the call: of two who were told by the same sight, one is right
  primary key (batch_id, fingerprint)
);

-- What is about a message is erased with it.
create index batch_questions_message on millrace.batch_questions (message_id);

-- Messages that wait, without a lease, for the answer.
create table millrace.batch_question_waits (
  batch_id    uuid not null,
  fingerprint text not null,
  message_id  uuid not null,
  primary key (batch_id, fingerprint, message_id),
  foreign key (batch_id, fingerprint) references millrace.batch_questions (batch_id, fingerprint) on delete cascade
);

-- Answers that messages were given without a call of their own: each costs nothing, and names the call that was paid.
create table millrace.batch_shared_answers (
  batch_id    uuid not null references millrace.batches (id) on delete cascade,
  fingerprint text not null,
  message_id  uuid not null,                 -- the message that was given it
  call_id     uuid not null,                 -- the call that was paid
  given_at    timestamptz not null default clock_timestamp(),
  rejected_at timestamptz,                   -- it was of no use to this message, which asks for itself since
  primary key (batch_id, fingerprint, message_id)
);

create index batch_shared_answers_message on millrace.batch_shared_answers (message_id);
