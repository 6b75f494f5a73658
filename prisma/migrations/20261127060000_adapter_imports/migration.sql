-- Where an adapter was imported from: a hub's repository, what of it was asked for, and the commit that this was.
ALTER TABLE "adapters"
  ADD COLUMN "source_repository" TEXT,
  ADD COLUMN "source_revision" TEXT,
  ADD COLUMN "source_path" TEXT,
  ADD COLUMN "source_commit" TEXT;
ALTER TABLE "adapters" ADD CONSTRAINT "adapters_source" CHECK (
  num_nonnulls("source_repository", "source_revision", "source_path") IN (0, 3)
  AND ("source_commit" IS NULL OR ("source_repository" IS NOT NULL AND "source_commit" ~ '^[0-9a-f]{40}$')));

-- An import under way, and nothing else: with its end the row goes, and the token with it. The job goes by the row, so that a
-- Redis that forgets the job delays the import and does not lose it.
CREATE TABLE "adapter_imports" (
    "adapter_id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "sealed_token" BYTEA,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "waits_for" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "adapter_imports_pkey" PRIMARY KEY ("adapter_id")
);

CREATE UNIQUE INDEX "adapter_imports_tenant_id_adapter_id_key" ON "adapter_imports"("tenant_id", "adapter_id");

ALTER TABLE "adapter_imports" ADD CONSTRAINT "adapter_imports_tenant_id_adapter_id_fkey" FOREIGN KEY ("tenant_id", "adapter_id") REFERENCES "adapters"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "adapter_imports" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "adapter_imports" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON "adapter_imports" USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id());
GRANT SELECT, INSERT, UPDATE, DELETE ON "adapter_imports" TO aril_app;

-- As for generations: housekeeping finds those that are to have a job before it knows their tenants.
CREATE POLICY housekeeping ON "adapter_imports" FOR SELECT USING (current_setting('app.housekeeping', true) = 'on');
