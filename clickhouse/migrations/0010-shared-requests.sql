-- Calls that left for the provider as one HTTP request have it in common, so that requests can be counted as a provider counts them.
ALTER TABLE {{database}}.usage {{on_cluster}}
  ADD COLUMN IF NOT EXISTS shared_request UUID COMMENT 'the HTTP request that the call was a part of; zero for a request of its own';
