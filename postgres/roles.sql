-- Least privilege: one role migrates and owns, another runs and owns nothing. Run it as the owner of the schema (the role that migrates), after
-- `millrace migrate`, again after every migration:
--
--   psql "$MIGRATING_URL" --set ON_ERROR_STOP=1 --set role=millrace_run --file postgres/roles.sql
--
-- The running role exists already: create role millrace_run login password '…'. Its hosts start with MILLRACE_STARTUP_MIGRATE=false.
begin;
revoke create on schema public from public;
grant usage on schema millrace to :"role";
grant select, insert, update, delete on all tables in schema millrace to :"role";
grant usage, select on all sequences in schema millrace to :"role";
-- The audit only grows, and what was migrated or erased is not for it to change. An operation in several slices has one entry, which counts
-- what each of them touched.
revoke update, delete on millrace.operator_actions from :"role";
grant update (at, affected) on millrace.operator_actions to :"role";
revoke insert, update, delete on millrace.migrations, millrace.erasures from :"role";
commit;
