-- What tokens for reading the events of one request are signed with, where the configuration names no secret: one row at most, made by the
-- process that needs it first.
create table millrace.stream_token_secrets (
  id         int primary key check (id = 1),
  secret     text not null,                  -- 32 random bytes as base64url
  created_at timestamptz not null default clock_timestamp()
);
