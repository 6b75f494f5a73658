-- Batches of requests: files of them, what becomes of each line, and until when a line's generation has time.
ALTER TABLE "generations" ADD COLUMN "deadline_at" TIMESTAMPTZ(3);

-- CreateEnum
CREATE TYPE "BatchStatus" AS ENUM ('VALIDATING', 'FAILED', 'IN_PROGRESS', 'FINALIZING', 'COMPLETED', 'EXPIRED', 'CANCELLING', 'CANCELLED');

-- CreateTable
CREATE TABLE "batch_files" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "api_key_id" UUID,
    "purpose" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ready_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "batch_files_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "batches" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "user_id" UUID,
    "api_key_id" UUID,
    "endpoint" TEXT NOT NULL,
    "input_file_id" UUID NOT NULL,
    "metadata" JSONB,
    "status" "BatchStatus" NOT NULL DEFAULT 'VALIDATING',
    "problems" JSONB,
    "total" INTEGER NOT NULL DEFAULT 0,
    "completed" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "fed_lines" INTEGER NOT NULL DEFAULT 0,
    "fed_bytes" BIGINT NOT NULL DEFAULT 0,
    "output_file_id" UUID,
    "error_file_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "in_progress_at" TIMESTAMPTZ(3),
    "finalizing_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "failed_at" TIMESTAMPTZ(3),
    "expired_at" TIMESTAMPTZ(3),
    "cancelling_at" TIMESTAMPTZ(3),
    "cancelled_at" TIMESTAMPTZ(3),

    CONSTRAINT "batches_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "batch_lines" (
    "tenant_id" UUID NOT NULL,
    "batch_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "start" BIGINT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "result" TEXT,
    "failed" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "batch_lines_pkey" PRIMARY KEY ("batch_id", "position")
);

-- CreateIndex
CREATE INDEX "batch_files_tenant_id_created_at_id_idx" ON "batch_files"("tenant_id", "created_at", "id");
CREATE UNIQUE INDEX "batches_tenant_id_id_key" ON "batches"("tenant_id", "id");
CREATE INDEX "batches_tenant_id_created_at_id_idx" ON "batches"("tenant_id", "created_at", "id");
-- What has to be run, of all that there ever were.
CREATE INDEX "batches_open_idx" ON "batches"("created_at") WHERE "status" IN ('VALIDATING', 'IN_PROGRESS', 'FINALIZING', 'CANCELLING');
CREATE INDEX "batch_files_expires_at_idx" ON "batch_files"("expires_at");

-- AddForeignKey
ALTER TABLE "batch_files" ADD CONSTRAINT "batch_files_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "batches" ADD CONSTRAINT "batches_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "batch_lines" ADD CONSTRAINT "batch_lines_tenant_id_batch_id_fkey" FOREIGN KEY ("tenant_id", "batch_id") REFERENCES "batches"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['batch_files', 'batches', 'batch_lines'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id())',
      name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON "batch_files", "batch_lines" TO aril_app;
GRANT SELECT, INSERT, UPDATE ON "batches" TO aril_app;

-- As for generations: what runs batches and removes files finds these rows before it knows their tenants.
CREATE POLICY housekeeping ON "batches" FOR SELECT
  USING (current_setting('app.housekeeping', true) = 'on' AND "status" IN ('VALIDATING', 'IN_PROGRESS', 'FINALIZING', 'CANCELLING'));
CREATE POLICY housekeeping ON "batch_files" FOR SELECT
  USING (current_setting('app.housekeeping', true) = 'on' AND ("deleted_at" IS NOT NULL OR "expires_at" < now() OR "ready_at" IS NULL));
