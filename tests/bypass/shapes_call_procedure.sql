CALL sandbox_orders.refresh('2026-01-01');
