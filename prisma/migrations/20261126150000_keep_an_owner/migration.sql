-- A tenant never loses its last owner, however many leave, are removed or step down at once: Better Auth looks before
-- it writes, and two of its requests may look at the same time.
CREATE FUNCTION keep_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Whoever else changes this tenant's owners waits here, and then sees what was done before.
  PERFORM FROM tenants WHERE id = OLD.tenant_id FOR NO KEY UPDATE;
  -- A tenant that is deleted itself takes its owners along.
  IF FOUND AND NOT EXISTS (SELECT FROM memberships WHERE tenant_id = OLD.tenant_id AND role ~ '\mowner\M') THEN
    RAISE EXCEPTION 'memberships_keep_an_owner: found the last owner, expected another one to remain'
      USING ERRCODE = 'check_violation', TABLE = 'memberships', CONSTRAINT = 'memberships_keep_an_owner';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER keep_an_owner AFTER UPDATE OF role OR DELETE ON memberships
  FOR EACH ROW WHEN (OLD.role ~ '\mowner\M') EXECUTE FUNCTION keep_an_owner();
