UNLOAD ('delete from orders.daily') TO 's3://bucket/x' IAM_ROLE default;
