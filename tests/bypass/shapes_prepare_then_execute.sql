PREPARE later AS INSERT INTO orders.daily VALUES ('2026-01-01', 1);
EXECUTE later;
