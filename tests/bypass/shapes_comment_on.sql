COMMENT ON TABLE orders.daily IS 'mine now';
