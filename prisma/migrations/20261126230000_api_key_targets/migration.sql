-- What a key may name as target: everything, or adapters, deployments and base models by their ids (docs/adr/0003-api-keys.md).
-- Two columns: an empty list of a key whose targets are all gone must not be taken for no list at all.
ALTER TABLE "api_keys" ADD COLUMN "all_targets" BOOLEAN NOT NULL DEFAULT true,
  ADD COLUMN "target_ids" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[];
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_targets" CHECK (NOT "all_targets" OR cardinality("target_ids") = 0);

-- An API of before this knows nothing of targets, and would take a key that is held to some for one that may name all.
-- It does not say that it does, and so finds no such key.
ALTER POLICY known_by_hash ON "api_keys"
  USING (nullif(current_setting('app.api_key_hash', true), '') IN ("key_hash", "previous_key_hash")
    AND ("all_targets" OR current_setting('app.api_key_targets', true) = 'known'));
