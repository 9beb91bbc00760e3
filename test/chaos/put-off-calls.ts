/**
 * How many calls are put off, as SQL. One that was kept and never reserved, since its process died in between, is nothing yet; it is
 * forgotten after an hour.
 */
export const putOffCalls = `(select count(*) from millrace.deferred_calls d
  where d.state <> 'waiting' or exists (select from millrace.calls c where c.id = d.call_id))::int`;
