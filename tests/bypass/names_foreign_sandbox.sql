INSERT INTO sandbox_users.t VALUES (1);
