// Of output `number` of a plane: the plane and the place of the first tap.
    let out_x = number % params.out_width;
    let out_y = (number / params.out_width) % params.out_height;
    let plane = number / (params.out_width * params.out_height);
    let first_y = i32(out_y * params.stride_y) - params.pad_top;
    let first_x = i32(out_x * params.stride_x) - params.pad_left;
