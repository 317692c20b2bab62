SECURITY LABEL ON TABLE orders.daily IS 'x';
