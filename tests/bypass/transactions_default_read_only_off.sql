SET default_transaction_read_only TO off; DELETE FROM orders.daily;
