-- Whether a deleted adapter's objects are gone is said here, not in Redis: what Redis forgets would stay in the store for
-- ever. Adapters deleted before this are looked at once more; to remove what is gone changes nothing.
ALTER TABLE "adapters" ADD COLUMN "purged_at" TIMESTAMPTZ(3);

CREATE INDEX "adapters_to_purge_idx" ON "adapters" ("deleted_at")
  WHERE "deleted_at" IS NOT NULL AND "sha256" IS NOT NULL AND "purged_at" IS NULL;

-- As for generations: housekeeping finds these rows before it knows their tenants.
CREATE POLICY housekeeping ON "adapters" FOR SELECT
  USING (
    current_setting('app.housekeeping', true) = 'on'
    AND "deleted_at" IS NOT NULL AND "sha256" IS NOT NULL AND "purged_at" IS NULL
  );
