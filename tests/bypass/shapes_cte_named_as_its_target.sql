WITH daily AS (SELECT 1 AS total) UPDATE orders.daily SET total = daily.total FROM daily;
