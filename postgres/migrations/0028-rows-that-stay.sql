-- Room on each page for the later versions of its rows. A version on the page of the one before is written to the WAL as what differs from that,
-- needs no lock record, and is cleared away when the page is next looked at; on another page it is written whole. A message has one version
-- for its claim and one for its end, of about its size; a settled call is some three times as large as a reserved one.
-- Pages that are full already stay so.
alter table millrace.messages set (fillfactor = 45);
alter table millrace.calls set (fillfactor = 25);
