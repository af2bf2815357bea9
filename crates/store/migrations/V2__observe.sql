-- Until when a resource is in observe mode: milliseconds since the epoch.
ALTER TABLE resources ADD COLUMN observe_until INTEGER;
