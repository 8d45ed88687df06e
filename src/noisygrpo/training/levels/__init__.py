"""What is made of noise levels beyond a view: running means of reward, weights, negatives."""
