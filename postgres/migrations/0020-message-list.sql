-- Messages in the order in which they were written, by team: lists for operators, newest first. The team comes first, so that
-- what a key of one team is shown costs the same whatever the others have; without a team the list goes from team to team.
create index messages_created on millrace.messages (team, created_at, id);
