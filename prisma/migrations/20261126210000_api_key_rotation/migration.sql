-- A key may have two secrets for a while: the one it has now, and the one that it had before it was rotated.
ALTER TABLE "api_keys"
  ADD COLUMN "secret_version" INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN "secret_last_used_at" TIMESTAMPTZ(3),
  ADD COLUMN "previous_prefix" TEXT,
  ADD COLUMN "previous_key_hash" TEXT,
  ADD COLUMN "previous_ends_at" TIMESTAMPTZ(3),
  ADD COLUMN "previous_last_used_at" TIMESTAMPTZ(3),
  -- Keys that there are keep what they may do.
  ADD COLUMN "permissions" TEXT[] NOT NULL DEFAULT ARRAY['full'];

-- Its rows are hidden from their owner too unless that is lifted for the moment.
ALTER TABLE "api_keys" NO FORCE ROW LEVEL SECURITY;
UPDATE "api_keys" SET "secret_last_used_at" = "last_used_at";
ALTER TABLE "api_keys" FORCE ROW LEVEL SECURITY;

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_previous_key_hash_key" ON "api_keys"("previous_key_hash");

ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_previous_secret" CHECK (
  num_nonnulls("previous_prefix", "previous_key_hash", "previous_ends_at") IN (0, 3)
  AND ("previous_last_used_at" IS NULL OR "previous_key_hash" IS NOT NULL)
  AND "previous_key_hash" <> "key_hash");
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_permissions" CHECK (
  cardinality("permissions") > 0
  AND "permissions" <@ ARRAY['full', 'inference', 'adapters:read', 'adapters:write', 'usage:read']);

-- Whoever has the HMAC of either secret may see that one row.
ALTER POLICY known_by_hash ON "api_keys"
  USING (nullif(current_setting('app.api_key_hash', true), '') IN ("key_hash", "previous_key_hash"));
