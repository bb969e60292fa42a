-- What a server looks for among all clusters, without reading their rows.
CREATE INDEX clusters_prefix ON clusters (phase, prefix);
CREATE INDEX clusters_engine ON clusters (phase, engine);
CREATE INDEX clusters_sleep ON clusters (phase, sleep_after_ms);
CREATE INDEX system_users_freed ON system_users (freed);
