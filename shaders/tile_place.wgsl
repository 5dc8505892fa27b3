# if along
    let lane = local % ${ lanes }u;
    let column = local / ${ lanes }u;
# else
    let lane = local / ${ columns }u;
    let column = local % ${ columns }u;
# endif
