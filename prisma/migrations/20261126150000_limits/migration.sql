-- Limits of tenants and API keys, and what was spent of their budgets (docs/adr/0012-reservation-of-the-worst-case.md).
ALTER TABLE "generations"
  ADD COLUMN "reserved_nano_usd" BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN "reserved_tokens" INTEGER NOT NULL DEFAULT 0,
  ADD CONSTRAINT "generations_reserved_not_negative" CHECK ("reserved_nano_usd" >= 0 AND "reserved_tokens" >= 0);

-- Every admission counts its tenant's open generations, of which there are few among all there ever were.
CREATE INDEX "generations_open_idx" ON "generations" ("tenant_id") WHERE "status" IN ('QUEUED', 'RUNNING');

CREATE TABLE "usage_limits" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "tenant_id" UUID NOT NULL,
    "api_key_id" UUID,
    "requests_per_minute" INTEGER,
    "tokens_per_minute" INTEGER,
    "parallel_requests" INTEGER,
    "budget_soft_nano_usd" BIGINT,
    "budget_hard_nano_usd" BIGINT,

    CONSTRAINT "usage_limits_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "usage_limits_range" CHECK (
      "requests_per_minute" > 0 AND "tokens_per_minute" > 0 AND "parallel_requests" > 0
      AND "budget_soft_nano_usd" >= 0 AND "budget_hard_nano_usd" >= 0
    )
);

CREATE TABLE "monthly_spend" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "tenant_id" UUID NOT NULL,
    "month" DATE NOT NULL,
    "api_key_id" UUID,
    "spent_nano_usd" BIGINT NOT NULL,

    CONSTRAINT "monthly_spend_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "monthly_spend_not_negative" CHECK ("spent_nano_usd" >= 0)
);

-- "No API key" is one row too.
CREATE UNIQUE INDEX "usage_limits_tenant_id_api_key_id_key" ON "usage_limits"("tenant_id", "api_key_id") NULLS NOT DISTINCT;
CREATE UNIQUE INDEX "monthly_spend_tenant_id_month_api_key_id_key" ON "monthly_spend"("tenant_id", "month", "api_key_id") NULLS NOT DISTINCT;

ALTER TABLE "usage_limits" ADD CONSTRAINT "usage_limits_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "usage_limits" ADD CONSTRAINT "usage_limits_tenant_id_api_key_id_fkey" FOREIGN KEY ("tenant_id", "api_key_id") REFERENCES "api_keys"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;
ALTER TABLE "monthly_spend" ADD CONSTRAINT "monthly_spend_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "monthly_spend" ADD CONSTRAINT "monthly_spend_tenant_id_api_key_id_fkey" FOREIGN KEY ("tenant_id", "api_key_id") REFERENCES "api_keys"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- What the ledger holds already. Its rows are hidden from their owner too unless that is lifted for the moment.
ALTER TABLE "ledger_entries" NO FORCE ROW LEVEL SECURITY;
INSERT INTO "monthly_spend" ("tenant_id", "month", "api_key_id", "spent_nano_usd")
  SELECT "tenant_id", date_trunc('month', "at" AT TIME ZONE 'UTC')::date, "api_key_id", sum("amount_nano_usd")
  FROM "ledger_entries" GROUP BY 1, 2, 3;
ALTER TABLE "ledger_entries" FORCE ROW LEVEL SECURITY;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['usage_limits', 'monthly_spend'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id())',
      name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO aril_app', name);
  END LOOP;
END $$;

-- Kept by the database itself, in the transaction of the ledger row: the two cannot part, whoever writes the ledger.
CREATE FUNCTION add_to_monthly_spend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "monthly_spend" ("tenant_id", "month", "api_key_id", "spent_nano_usd")
    VALUES (NEW."tenant_id", date_trunc('month', NEW."at" AT TIME ZONE 'UTC')::date, NEW."api_key_id", NEW."amount_nano_usd")
    ON CONFLICT ("tenant_id", "month", "api_key_id")
    DO UPDATE SET "spent_nano_usd" = "monthly_spend"."spent_nano_usd" + EXCLUDED."spent_nano_usd";
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_monthly_spend AFTER INSERT ON "ledger_entries"
  FOR EACH ROW WHEN (NEW."amount_nano_usd" > 0) EXECUTE FUNCTION add_to_monthly_spend();
