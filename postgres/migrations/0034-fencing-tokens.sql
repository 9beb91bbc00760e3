-- The number that rises with every lease of a message is called a fencing token everywhere. Every process is stopped while this runs,
-- as for 0029: the statements of an earlier version name the old column.

alter table millrace.messages rename column fence to fencing_token;
alter table millrace.failures rename column fence to fencing_token;
alter table millrace.calls rename column fence to fencing_token;
alter table millrace.dead_letter_actions rename column fence to fencing_token;
