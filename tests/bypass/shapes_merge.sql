MERGE INTO orders.daily USING sandbox_orders.fixes f ON orders.daily.day = f.day WHEN MATCHED THEN UPDATE SET total = f.total WHEN NOT MATCHED THEN INSERT VALUES (f.day, f.total);
