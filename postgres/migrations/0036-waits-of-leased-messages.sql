-- What messages waited for by the present names, also of those that were leased while 0029 ran: they go back to waiting under the
-- name that they have.

update millrace.messages set waits_for = case
  when waits_for = 'hold' or waits_for like 'hold:%' then 'pause' || substr(waits_for, 5)
  when waits_for = 'breaker' or waits_for like 'breaker:%' then 'circuit' || substr(waits_for, 8)
  when waits_for = 'retry:MILLRACE_LEASE_LOST' then 'retry:MILLRACE_LEASE_EXPIRED'
  else 'retry:MILLRACE_OUTPUT_INVALID' end
where state in ('pending', 'leased')
  and (waits_for in ('hold', 'breaker', 'retry:MILLRACE_LEASE_LOST', 'retry:MILLRACE_ANSWER_DEGENERATE')
    or waits_for like 'hold:%' or waits_for like 'breaker:%');
