-- Names that split their requests between variants (docs/adr/0013-routing-of-deployments.md).
CREATE TABLE "deployments" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "base_model_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "deployments_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "deployment_variants" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "deployment_id" UUID NOT NULL,
    "adapter_id" UUID,
    "weight" INTEGER NOT NULL,
    "position" INTEGER NOT NULL,

    CONSTRAINT "deployment_variants_pkey" PRIMARY KEY ("id")
);

ALTER TABLE "generations" ADD COLUMN "deployment_id" UUID, ADD COLUMN "variant" TEXT;
ALTER TABLE "ledger_entries" ADD COLUMN "deployment_id" UUID, ADD COLUMN "variant" TEXT;

CREATE UNIQUE INDEX "deployments_tenant_id_id_key" ON "deployments"("tenant_id", "id");
CREATE INDEX "deployments_tenant_id_created_at_id_idx" ON "deployments"("tenant_id", "created_at", "id");
CREATE INDEX "deployment_variants_tenant_id_deployment_id_idx" ON "deployment_variants"("tenant_id", "deployment_id");
CREATE INDEX "deployment_variants_tenant_id_adapter_id_idx" ON "deployment_variants"("tenant_id", "adapter_id");

ALTER TABLE "deployments" ADD CONSTRAINT "deployments_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_base_model_id_fkey" FOREIGN KEY ("base_model_id") REFERENCES "base_models"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "deployment_variants" ADD CONSTRAINT "deployment_variants_tenant_id_deployment_id_fkey" FOREIGN KEY ("tenant_id", "deployment_id") REFERENCES "deployments"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "deployment_variants" ADD CONSTRAINT "deployment_variants_tenant_id_adapter_id_fkey" FOREIGN KEY ("tenant_id", "adapter_id") REFERENCES "adapters"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;
ALTER TABLE "generations" ADD CONSTRAINT "generations_tenant_id_deployment_id_fkey" FOREIGN KEY ("tenant_id", "deployment_id") REFERENCES "deployments"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- A deleted deployment's slug is free again.
CREATE UNIQUE INDEX "deployments_tenant_id_slug_key" ON "deployments"("tenant_id", "slug") WHERE "deleted_at" IS NULL;
-- Each adapter once, the base model (null) too.
CREATE UNIQUE INDEX "deployment_variants_deployment_id_adapter_id_key" ON "deployment_variants"("deployment_id", "adapter_id") NULLS NOT DISTINCT;
-- What a comparison of variants reads.
CREATE INDEX "ledger_entries_tenant_id_deployment_id_at_idx" ON "ledger_entries"("tenant_id", "deployment_id", "at") WHERE "deployment_id" IS NOT NULL;

ALTER TABLE "deployment_variants" ADD CONSTRAINT "deployment_variants_weight_range" CHECK ("weight" BETWEEN 0 AND 1000);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['deployments', 'deployment_variants'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id())',
      name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON "deployments" TO aril_app;
GRANT SELECT, INSERT, DELETE ON "deployment_variants" TO aril_app;
